"""Programs for the core: ELF files, or plain bytes, as they lie in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.toolchain import ToolError

__all__ = ["MEMORY_BYTES", "Program", "ProgramError", "find_program", "load_program", "shipped"]

MEMORY_BYTES = 256 * 2**10
"""Memory that the shipped programs are linked for; see programs/link.ld."""

_IMAGES = Path(__file__).parent / "programs" / "images"
_MACHINE, _ELF = "EM_RISCV", b"\x7fELF"


class ProgramError(ValueError):
    """A file is no program that the core can run; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program as it lies in memory before its first instruction.

    Parameters
    ----------
    name:
        For titles.
    segments:
        Content by byte address.
    symbols:
        Address and size in bytes by name; empty of plain bytes.
    """

    name: str
    segments: Mapping[int, bytes]
    symbols: Mapping[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(len(content) for content in self.segments.values())

    def memory(self, config: EngineConfig) -> NDArray[np.uint8]:
        """Return all of the data window, zeros where nothing is loaded: shape (lines, 64).

        Raises
        ------
        ProgramError
            If a segment lies outside the window.
        """
        memory = np.zeros(config.data_bytes, dtype=np.uint8)
        for address, content in self.segments.items():
            first = address - config.data_base
            if first < 0 or first + len(content) > config.data_bytes:
                raise ProgramError(
                    f"{self.name}: {len(content)} bytes at {address:#x} lie outside the memory "
                    f"from {config.data_base:#x} to {config.data_base + config.data_bytes - 1:#x}")
            memory[first:first + len(content)] = np.frombuffer(content, np.uint8)
        return memory.reshape(-1, LINE_BYTES)


def shipped() -> dict[str, Path]:
    """Return the images that come with the package, by name."""
    return {path.stem: path for path in sorted(_IMAGES.glob("*.elf"))}


def find_program(name: str) -> Program:
    """Return a shipped program by its name, or the one in a file.

    Raises
    ------
    ProgramError
        If there is neither, or the file is no program.
    ToolError
        If what reads ELF files is not installed.
    OSError
        If it cannot be read.
    """
    known = shipped()
    if name not in known and not Path(name).is_file():
        raise ProgramError(f"{name}: no such file, and no shipped program has this name; they are "
                           f"{', '.join(known)}")
    return load_program(known.get(name, Path(name)))


def load_program(path: Path) -> Program:
    """Read an ELF file; the bytes of any other file are loaded at address 0.

    Raises
    ------
    ProgramError
        If it is empty, or an ELF file for another machine.
    ToolError
        If what reads ELF files is not installed.
    OSError
        If it cannot be read.
    """
    content = path.read_bytes()
    if not content:
        raise ProgramError(f"{path}: the file is empty")
    if not content.startswith(_ELF):
        return Program(name=path.stem, segments={0: content}, symbols={})
    return _load_elf(path, content)


def _load_elf(path: Path, content: bytes) -> Program:
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise ToolError("ELF files need the Python package pyelftools; install it, or all that is "
                        "needed to run programs: pip install 'casemate[cpu]'") from error
    try:
        file = ELFFile(io.BytesIO(content))
        kind = f"{file['e_machine']}, {file.elfclass} bits"
        if (file["e_machine"], file.elfclass, file["e_type"]) != (_MACHINE, 32, "ET_EXEC"):
            raise ProgramError(f"{path}: {kind}, {file['e_type']}; the cores run executables of "
                               "32-bit RISC-V (rv32im, linked to an address)")
        segments = {segment["p_paddr"]: segment.data() for segment in file.iter_segments()
                    if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]}
        table = file.get_section_by_name(".symtab")
        symbols = {} if table is None else {
            symbol.name: (symbol["st_value"], symbol["st_size"])
            for symbol in table.iter_symbols() if symbol.name and symbol["st_size"]}
    except (ELFError, ValueError, KeyError) as error:
        if isinstance(error, ProgramError):
            raise
        raise ProgramError(f"{path}: a damaged ELF file: {error}") from error
    if not segments:
        raise ProgramError(f"{path}: the file has nothing to load")
    return Program(name=path.stem, segments=segments, symbols=symbols)
