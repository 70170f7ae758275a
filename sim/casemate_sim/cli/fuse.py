"""``casemate fuse``: build, check and explain the fuses of a device."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from casemate_sim.cli.errors import FAULT, InputError
from casemate_sim.cli.show import STDOUT, print_facts, print_json, write_bytes
from casemate_sim.fuse_file import fuse_text, read_fuses
from casemate_sim.model.fuse_words import DEBUG, KEY_SIZES, MARKS, POLICIES, STATES, decode_word
from casemate_sim.model.fuses import (
    CONFIGURATION,
    LIFE_CYCLE,
    PARTITIONS,
    SECRET,
    Boot,
    Device,
    FusePartition,
    boot,
    encode_device,
)
from casemate_sim.model.fuses import check as find

__all__ = ["commands"]

commands = typer.Typer(help="Build, check and explain the fuses of a device.",
                       rich_markup_mode="markdown")

_Image = Annotated[Path, typer.Argument(
    metavar="FILE", help="A fuse image: 34 lines of 10 hexadecimal digits.", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


def _bytes(name: str, text: str | None, size: int) -> bytes | None:
    if text is None:
        return None
    try:
        content = bytes.fromhex(text)
    except ValueError:
        raise InputError(f"{name}: {text!r} is not hexadecimal") from None
    if len(content) != size:
        raise InputError(f"{name}: {size} bytes are {2 * size} hexadecimal digits, "
                         f"not {len(text)}")
    return content


def _root_key(path: Path | None, life_cycle: str) -> bytes | None:
    """Return the root key of a file, or a new one if the state needs one."""
    if path is not None:
        return _bytes(str(path), path.read_text().strip(), 32)
    return secrets.token_bytes(32) if life_cycle in ("provisioned", "production") else None


@commands.command("build")
def build(
    output: Annotated[str, typer.Option(
        "--output", "-o", metavar="FILE", help="Where the image goes; `-` is stdout.",
        show_default=False)],
    life_cycle: Annotated[str, typer.Option(
        help=f"State of life: {', '.join(STATES)}.", metavar="STATE")] = "blank",
    device: Annotated[str | None, typer.Option(
        metavar="HEX", help="Public identity: 16 bytes.", show_default=False)] = None,
    serial: Annotated[str | None, typer.Option(
        metavar="HEX", help="Serial number: 8 bytes.", show_default=False)] = None,
    key_size: Annotated[int | None, typer.Option(
        metavar="BITS", help="Smallest key size: 128 or 256.", show_default=False)] = None,
    policy: Annotated[str, typer.Option(
        help=f"Weakest policy for failed tags: {', '.join(POLICIES)}.",
        metavar="POLICY")] = "lock-engine",
    debug: Annotated[str, typer.Option(
        help=f"When a debugger gets in after erasing: {', '.join(DEBUG)}.",
        metavar="WHEN")] = "never",
    product: Annotated[int, typer.Option(help="A number of your own, 32 bits.")] = 0,
    root_key: Annotated[Path | None, typer.Option(
        metavar="FILE", show_default=False,
        help="File with 64 hexadecimal digits. By default a new key is drawn where the state "
             "needs one.")] = None,
    erased: Annotated[bool, typer.Option("--erased", help="The secret was erased.")] = False,
    json: _Json = False,
) -> None:
    """Build a fuse image, with error correction and the digests that lock its partitions.

    `--device` and `--serial` lock the identity, `--key-size` the configuration.
    """
    content = Device(
        life_cycle=life_cycle, device=_bytes("--device", device, 16),
        serial=_bytes("--serial", serial, 8), key_size=key_size, policy=policy, debug=debug,
        product=product, root_key=_root_key(root_key, life_cycle), erased=erased)
    image = encode_device(content)
    if output == STDOUT:
        if json:
            raise InputError("--json and the image cannot both go to stdout: give --output a file")
        typer.echo(fuse_text(image), nl=False)
        return
    write_bytes(Path(output), fuse_text(image).encode())
    if json:
        print_json({"schema": "casemate.fuse_build/1", "file": output, **_start(boot(image))})
    else:
        typer.echo(f"{output}: a device in state {life_cycle}")


@commands.command("check")
def check(image: _Image, json: _Json = False) -> None:
    """Find wrong bits, broken digests and whatever else keeps a device from starting.

    Exit code 0: the device starts; single wrong bits are named and corrected. 1: it does not.
    """
    words = read_fuses(image)
    findings = list(find(words))
    wrong = any(finding.fault for finding in findings)
    if json:
        print_json({"schema": "casemate.fuse_check/1", "file": str(image), "ok": not wrong,
                    "findings": [{"fault": each.fault, "address": each.address, "bit": each.bit,
                                  "text": each.text} for each in findings],
                    **_start(boot(words))})
    else:
        for each in findings:
            typer.echo(f"{image}: {'fault' if each.fault else 'note'}: {each.text}")
        if not wrong:
            start = boot(words)
            typer.echo(f"{image}: " + (
                f"programs the rest of the mark of {start.life_cycle}, and waits for a reset"
                if start.outcome == "finish" else f"starts in state {start.life_cycle}"))
    if wrong:
        raise typer.Exit(FAULT)


@commands.command("explain")
def explain(
    image: _Image,
    reveal: Annotated[bool, typer.Option(
        "--reveal", help="Show the root key's words and their digest.")] = False,
    json: _Json = False,
) -> None:
    """Show what every word says, and what the device does when it starts."""
    words = read_fuses(image)
    start = boot(words)
    rows = [(part, address, _meaning(part, address, words, reveal))
            for part in PARTITIONS for address in range(part.base, part.end)]
    if json:
        print_json({
            "schema": "casemate.fuse_explain/1", "file": str(image), **_start(start),
            "words": [{"address": address, "partition": part.name,
                       "content": part.name_of(address), "meaning": meaning}
                      for part, address, meaning in rows]})
        return
    table = Table()
    for column in ("word", "partition", "content", "meaning"):
        table.add_column(column, justify="right" if column == "word" else "left")
    for part, address, meaning in rows:
        table.add_row(str(address), part.name, part.name_of(address), meaning,
                      end_section=address == part.end - 1)
    console = Console()
    console.print(table)
    print_facts({name: ", ".join(value) if isinstance(value, list) else str(value)
                 for name, value in _start(start).items()}, console)


def _start(start: Boot) -> dict[str, object]:
    """Return what a device does when it starts, without its key."""
    return {"outcome": start.outcome, "life_cycle": start.life_cycle,
            "root_key": "handed over" if start.root_key else "none",
            "debug": "open" if start.debug else "closed", "locked": list(start.locked),
            "reason": start.reason or "-"}


def _meaning(part: FusePartition, address: int, words: Sequence[int], reveal: bool) -> str:
    word = decode_word(words[address])
    place = address - part.base
    if part is SECRET and word.erased:
        return "erased"
    if word.bad:
        return "more than one bit is wrong"
    suffix = "" if word.wrong_bit is None else f" (bit {word.wrong_bit} corrected)"
    if word.blank:
        return "blank" + suffix
    if part is SECRET and not reveal:
        return "hidden" + suffix
    names: dict[int, str] = {}
    if part is LIFE_CYCLE:
        names = {MARKS[place]: f"{STATES[place + 1]} entered"}
    elif part is CONFIGURATION and place < 3:
        table = (KEY_SIZES, POLICIES, DEBUG)[place]
        names = {code: str(name) for name, code in table.items()}
    default = f"{word.data:#010x}"
    if names and word.data not in names:
        return f"{default}, no codeword{suffix}"
    return names.get(word.data, default) + suffix
