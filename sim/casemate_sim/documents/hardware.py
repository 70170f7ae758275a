"""Tables of the RTL: its modules, the ciphers' latencies, the ports of the exported Verilog."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from casemate.config import (
    PRESETS,
    EngineConfig,
    FuseConfig,
    KeyManagerConfig,
    TreeConfig,
    preset,
)

from casemate_sim.exported import unused_hardware

from .markdown import first_sentence, table

__all__ = ["latencies", "modules", "ports"]


def _hardware() -> Path:
    spec = find_spec("casemate")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def modules(folder: str = "") -> str:
    """Return the modules of the RTL, or of one folder, each with its first sentence."""
    root = _hardware()
    rows = []
    for path in sorted((root / folder).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if path.name == "__init__.py":
            continue
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        if docstring is None:
            raise ValueError(f"{path} has no docstring")
        rows.append((f"[`{name}`](../rtl/casemate/{name})", first_sentence(docstring)))
    if not rows:
        raise ValueError(f"there is no folder {folder!r} with modules in {root}")
    return table(("module", "content"), rows)


def _latencies(config: EngineConfig) -> dict[str, object]:
    from casemate.aes.cipher import Direction, create_cipher
    from casemate.aes.shared import SharedCipher
    from casemate.aes.signature import CipherPort
    from casemate.modes.xts import XtsCipher

    tweak = create_cipher(config.tweak_cipher, aes_bits=config.aes_bits,
                          direction=Direction.ENCRYPT, keys=config.domain_slots, tag=0)
    shared = config.tree is not None and config.tree.shared_cipher
    encrypted = SharedCipher(config.tweak_cipher, aes_bits=config.aes_bits, users={
        "tweaks": CipherPort(config.domain_slots, 0)}) if shared else tweak
    block = create_cipher(config.data_cipher, aes_bits=config.aes_bits,
                          direction=Direction.DECRYPT, keys=config.domain_slots, tag=0)
    row = XtsCipher(config.data_cipher, aes_bits=config.aes_bits, direction=Direction.DECRYPT,
                    lanes=config.lanes, keys=config.domain_slots, entries=2, tag=0)
    return {
        "AES rounds": config.aes_rounds,
        "data cipher: latency": block.latency,
        "data cipher: cycles from block to block": block.interval,
        "XTS of a row: latency": row.latency,
        "XTS: bytes per cycle, each direction": f"{config.row_bytes / row.interval:.3g}",
        "tweak cipher: latency": encrypted.latency,
        "tweak cipher: cycles from line to line": tweak.interval,
        "line on the data bus: cycles": config.beats_per_line,
        "added to an idle read, `plain`": 2 + config.register_requests,
        "added to an idle read, `xts`": 2 + row.latency + config.register_requests,
    }


def latencies() -> str:
    """Return latency and throughput of each preset's ciphers, as the classes state them."""
    with unused_hardware():
        columns = {name: _latencies(config) for name, config in PRESETS.items()}
    return table(("", *(f"`{name}`" for name in columns)), (
        (row, *(values[row] for values in columns.values()))
        for row in next(iter(columns.values()))))


_GROUPS = (
    (r"clk|rst", "clock and reset"),
    (r"s_axi_aw.*", "host, write address"), (r"s_axi_w.*", "host, write data"),
    (r"s_axi_b.*", "host, write response"), (r"s_axi_ar.*", "host, read address"),
    (r"s_axi_r.*", "host, read data"),
    (r"m_axi_aw.*", "DRAM, write address"), (r"m_axi_w.*", "DRAM, write data"),
    (r"m_axi_b.*", "DRAM, write response"), (r"m_axi_ar.*", "DRAM, read address"),
    (r"m_axi_r.*", "DRAM, read data"),
    (r"otp_.*", "fuses"), (r"entropy.*", "entropy"), (r"tamper|debug_enable", "safety"),
    (r"s_axil_aw.*", "registers, write address"), (r"s_axil_w.*", "registers, write data"),
    (r"s_axil_b.*", "registers, write response"), (r"s_axil_ar.*", "registers, read address"),
    (r"s_axil_r.*", "registers, read data"),
    (r"key_.*", "keys"), (r"slot_.*", "domain slots"), (r".*", "state"),
)

_MEANINGS = {
    "clk": "clock; everything happens at its rising edge",
    "rst": "synchronous reset, active high",
    "s_axi_aruser": "bits 11..0: domain",
    "s_axi_awuser": "bits 11..0: domain; bit 12: `claim`, without meaning in `plain` and `xts`",
    "s_axi_arlock": "ignored: no access is exclusive",
    "s_axi_awlock": "ignored: no access is exclusive",
    "s_axi_wlast": "ignored: AWLEN says the same",
    "m_axi_arlock": "always 0", "m_axi_awlock": "always 0",
    "m_axi_arid": "entry of the read table; with the upper bit set, of the write table: a fill",
    "m_axi_awid": "entry of the write table; the upper bit is set",
    "m_axi_arlen": "always one line", "m_axi_awlen": "always one line",
    "m_axi_arsize": "always the width of the bus", "m_axi_awsize": "always the width of the bus",
    "m_axi_arburst": "always INCR", "m_axi_awburst": "always INCR",
    "m_axi_bready": "always 1",
    "m_axi_wstrb": "all ones for an encrypted line",
    "key_valid": "a key is offered", "key_ready": "it is taken at the next edge",
    "key_slot": "the slot that the key is for", "key_name": "0 to 3: K1 to K4",
    "key_key": "byte i of the key is bits 8i to 8i+7",
    "slot_valid": "a setting is offered; it is always taken",
    "slot_ready": "always 1", "slot_slot": "the slot that is set",
    "slot_enable": "1: the slot is in use from now on",
    "slot_domain": "the domain that the slot belongs to from now on",
    "slot_encrypt": "0: `plain`, 1: `xts`",
    "slot_authenticate": "must be 0; else every access of the domain is refused",
    "otp_ready": "the macro has power and takes requests",
    "otp_read": "pulse: the word at `otp_address` is wanted",
    "otp_address": "number of the word", "otp_valid": "pulse: the word that was wanted",
    "otp_data": "with `otp_valid`: the word, 7 of its bits for error correction",
    "otp_program": "pulse: the ones of `otp_program_data` are to be programmed",
    "otp_program_data": "bits to be programmed; stay while `otp_busy`",
    "otp_busy": "a word is being programmed", "otp_done": "pulse: programming has ended",
    "otp_error": "with `otp_done`: not all bits are as wanted",
    "entropy": "a word from the source, untested", "entropy_valid": "a word is offered",
    "entropy_ready": "it is taken at the next edge",
    "tamper": "somebody opens the case; of any clock, high for two cycles or more",
    "debug_enable": "a debugger may get in: there is no key in fuses or registers",
    "irq": "level: an enabled interrupt has happened",
    "alert_integrity": "level until reset: DRAM was tampered with",
    "alert_fatal": "level until reset: keys, fuses, entropy or counters failed; see registers",
    "idle": "nothing is in flight: keys and slots may change",
}


def _meaning(name: str) -> str:
    if name in _MEANINGS:
        return _MEANINGS[name]
    match = re.fullmatch(r"[sm]_axi(l?)_(\w+)", name)
    return f"AXI4{'-Lite' * bool(match[1])} {match[2].upper()}" if match else ""


def _with_fuses(config: EngineConfig) -> EngineConfig:
    return config.replace(tree=TreeConfig(), keys=KeyManagerConfig(fuses=FuseConfig()))


def _port_rows(name: str, *, fuses: bool) -> Iterator[tuple[object, ...]]:
    from casemate.export import FlatPorts
    from casemate.top import Casemate

    config = preset(name)
    flat = FlatPorts(Casemate(_with_fuses(config) if fuses else config))
    known = set(FlatPorts(Casemate(config)).ports) if fuses else set()
    for port in () if fuses else ("clk", "rst"):
        yield f"`{port}`", "in", 1, "clock and reset", _meaning(port)
    for port, signal in flat.ports.items():
        if port in known:
            continue
        group = next(text for pattern, text in _GROUPS if re.fullmatch(pattern, port))
        direction = "in" if port in flat.inputs else "out"
        yield f"`{port}`", direction, len(signal), group, _meaning(port)


def ports(name: str, what: str = "") -> str:
    """Return the ports of a preset's exported Verilog; with ``fuses``, those that fuses add."""
    if what not in ("", "fuses"):
        raise ValueError(f"there are no ports of {what!r}: only of 'fuses'")
    with unused_hardware():
        rows = list(_port_rows(name, fuses=bool(what)))
    return table(("port", "direction", "bits", "group", "meaning"), rows)
