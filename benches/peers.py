"""Open AES cores of others, as they are, for the same flow as ours.

Their sources are fetched when they are measured, at the commit that is named here: nothing of them
is part of this repository.
"""

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amaranth import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate_sim.build import cached
from casemate_sim.synthesis.flow import Design, design_of

__all__ = ["PEERS", "FetchError", "Foreign", "Peer", "peer_design"]


class FetchError(RuntimeError):
    """A source cannot be fetched; the message says from where."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A core, and where it comes from.

    Attributes
    ----------
    name:
        For figures.
    url, commit:
        Of its git repository.
    files:
        Those that are read, in their order.
    module:
        The top module.
    reset:
        Its reset, low when active; the clock is called ``clk``.
    inputs, outputs:
        Widths of its other ports.
    cycles_per_block:
        From one 16-byte block to the next, as its authors say; None if it computes no AES.
    """

    name: str
    url: str
    commit: str
    files: tuple[str, ...]
    module: str
    reset: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    cycles_per_block: int | None


PEERS = {peer.name: peer for peer in (
    Peer(
        name="secworks_aes", url="https://github.com/secworks/aes",
        commit="80dc4718e1dcbbdb4b0dd1bdb393d8f7b98981dc", module="aes_core", reset="reset_n",
        files=("src/rtl/aes_core.v", "src/rtl/aes_decipher_block.v", "src/rtl/aes_encipher_block.v",
               "src/rtl/aes_inv_sbox.v", "src/rtl/aes_key_mem.v", "src/rtl/aes_sbox.v"),
        inputs={"encdec": 1, "init": 1, "next": 1, "key": 256, "keylen": 1, "block": 128},
        outputs={"ready": 1, "result": 128, "result_valid": 1}, cycles_per_block=46),
    Peer(
        name="usselmann_aes", url="https://github.com/freecores/aes_core",
        commit="0d81d6e0758c634c8db7c8348d7653fa20c58639", module="aes_cipher_top", reset="rst",
        files=("rtl/verilog/timescale.v", "rtl/verilog/aes_cipher_top.v",
               "rtl/verilog/aes_key_expand_128.v", "rtl/verilog/aes_rcon.v",
               "rtl/verilog/aes_sbox.v"),
        inputs={"ld": 1, "key": 128, "text_in": 128}, outputs={"done": 1, "text_out": 128},
        cycles_per_block=12),
    Peer(
        name="secworks_ghash", url="https://github.com/secworks/gcm",
        commit="d921803f7adc20eea29927fa2e6a29253a6d9bfb", module="gcm_ghash", reset="reset_n",
        files=("src/rtl/gcm_ghash.v",),
        inputs={"init": 1, "next": 1, "h": 128, "block": 128}, outputs={"ready": 1, "y": 128},
        cycles_per_block=None),
)}
"""Those that build with these tools, by name."""


class Foreign(wiring.Component):
    """A peer's top module with its ports."""

    def __init__(self, peer: Peer):
        self._peer = peer
        super().__init__({**{name: In(width) for name, width in peer.inputs.items()},
                          **{name: Out(width) for name, width in peer.outputs.items()}})

    def elaborate(self, platform: object) -> Module:
        """Instantiate it."""
        m = Module()
        m.submodules.core = Instance(
            self._peer.module, i_clk=ClockSignal(), **{f"i_{self._peer.reset}": ~ResetSignal()},
            **{f"i_{name}": getattr(self, name) for name in self._peer.inputs},
            **{f"o_{name}": getattr(self, name) for name in self._peer.outputs})
        return m


def _git(*arguments: str, folder: Path) -> None:
    done = subprocess.run(["git", "-C", str(folder), *arguments], text=True, capture_output=True,
                          check=False)
    if done.returncode:
        raise FetchError(done.stderr.strip().splitlines()[-1])


def _fetch(peer: Peer, url: str) -> Path:
    """Return a folder with the peer's files, fetched once."""

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            repository = Path(name)
            _git("init", "--quiet", folder=repository)
            _git("fetch", "--quiet", "--depth", "1", url, peer.commit, folder=repository)
            _git("checkout", "--quiet", "FETCH_HEAD", folder=repository)
            for file in peer.files:
                (folder / Path(file).name).write_bytes((repository / file).read_bytes())

    return cached(f"peer-{peer.name}", peer.commit, build)


def peer_design(peer: Peer, mirror: Path | None = None) -> Design:
    """Return a peer between two shift registers.

    Parameters
    ----------
    mirror:
        A git repository to fetch from instead of the peer's own.

    Raises
    ------
    FetchError
        If its source cannot be fetched.
    """
    url = peer.url if mirror is None else str(mirror)
    try:
        folder = _fetch(peer, url)
    except FetchError as error:
        raise FetchError(f"{peer.name}: {url} at {peer.commit[:12]} cannot be fetched: "
                         f"{error}") from None
    return design_of(Foreign(peer), peer.name, tables=True, verilog={
        Path(file).name: (folder / Path(file).name).read_text() for file in peer.files})
