"""A configuration in a TOML file: the fields of ``EngineConfig``, on top of a preset.

For example::

    preset = "ecp5"  # where the values come from that are not given
    data_bytes = 0x4000000

    [data_cipher]
    sbox = "logic"

    [tree]
    cache_sets = 256

    [tree.pad_cipher]
    pipelined = false
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path

from casemate.config import (
    PRESETS,
    CipherConfig,
    ConfigError,
    EngineConfig,
    FuseConfig,
    KeyManagerConfig,
    LeafShape,
    SBox,
    TreeConfig,
    preset,
)

__all__ = ["change_config", "config_dict", "find_config", "load_config"]

_Table = CipherConfig | FuseConfig | KeyManagerConfig | LeafShape | TreeConfig

_TABLES: dict[str, type[_Table]] = {
    "leaf": LeafShape, "data_cipher": CipherConfig, "tweak_cipher": CipherConfig,
    "tree": TreeConfig, "keys": KeyManagerConfig, "fuses": FuseConfig,
    "pad_cipher": CipherConfig}


def config_dict(config: EngineConfig) -> dict[str, object]:
    """Return a configuration's parameters, digest, derived geometry and memory map."""
    return {
        "name": config.name, "digest": config.digest, "parameters": config.as_dict(),
        "geometry": {name: getattr(config, name) for name in (
            "row_bytes", "lanes", "rows_per_line", "beats_per_line", "lines", "line_bits",
            "memory_id_bits", "aes_rounds", "leaves", "level_sizes")},
        "memory_map": [{"name": region.name, "base": region.base, "size": region.size}
                       for region in config.regions],
    }


def find_config(name: str) -> EngineConfig:
    """Return the preset called `name`, or what the file `name` holds.

    Raises
    ------
    ConfigError
        If there is neither, or the file is wrong; the message says where.
    """
    if name in PRESETS:
        return PRESETS[name]
    if Path(name).suffix != ".toml" and not Path(name).exists():
        raise ConfigError(f"no configuration is called {name!r}: the presets are "
                          f"{', '.join(PRESETS)}, and no such file exists")
    return load_config(Path(name))


def load_config(path: Path) -> EngineConfig:
    """Read a configuration file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, or holds a value that is unknown, of the wrong type
        or impossible; the message names the file and the value, and for TOML's grammar the line.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no TOML: {error}") from None
    try:
        base_name = values.pop("preset", None)
        if base_name is None:
            base = EngineConfig()
        elif isinstance(base_name, str):
            base = preset(base_name)
        else:
            raise ConfigError(f"preset = {base_name!r} is not a name")
        return change_config(base, {"name": path.stem} | values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def change_config(base: EngineConfig, values: Mapping[str, object]) -> EngineConfig:
    """Return a configuration with some parameters changed.

    Parameters
    ----------
    base:
        Where the other values come from.
    values:
        Parameters by name as they stand in a TOML file; those of a part in a mapping of their own.

    Raises
    ------
    ConfigError
        If a value is unknown, of the wrong type or impossible.
    """
    return base.replace(**_changes(base, values, ""))


def _changes(base: EngineConfig | _Table, values: Mapping[str, object],
             where: str) -> dict[str, object]:
    """Check names and types of `values` against the dataclass `base`; return its new fields."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(base)}
    changes: dict[str, object] = {}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(f"{where}{name} is no parameter; there are {', '.join(fields)}"
                              + ("" if where else ", and preset"))
        if name in _TABLES:
            if not isinstance(value, dict):
                raise ConfigError(f"{where}{name} = {value!r} is not a table: write "
                                  f"[{where}{name}]")
            # A preset without a tree, a key manager or fuses gets the default one, changed.
            inner = getattr(base, name) or _TABLES[name]()
            changes[name] = dataclasses.replace(
                inner, **_changes(inner, value, f"{where}{name}."))
        else:
            changes[name] = _value(f"{where}{name}", fields[name], value)
    return changes


def _value(name: str, kind: str, value: object) -> object:
    """Return `value` as the type that a field is annotated with."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    match kind:
        case "bool" if isinstance(value, bool):
            return value
        case "str" if isinstance(value, str):
            return value
        case "int" | "int | None" if is_integer:
            return value
        case "SBox":
            if isinstance(value, str) and value in list(SBox):
                return SBox(value)
            raise ConfigError(f"{name} = {value!r} is not possible: one of "
                              f"{', '.join(SBox)}")
        case "tuple[int, ...] | None" if isinstance(value, list):
            if all(isinstance(each, int) and not isinstance(each, bool) for each in value):
                return tuple(value)
    wanted = {"bool": "true or false", "str": "text", "int": "an integer",
              "int | None": "an integer"}.get(kind, "a list of integers")
    raise ConfigError(f"{name} = {value!r} is not possible: {wanted}")
