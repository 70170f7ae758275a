"""What stands in for a chip's fuse macro and noise source in simulation and on an FPGA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from casemate.entropy.rings import RingOscillators, SeededSource
from casemate.entropy.words import ENTROPY_BITS
from casemate.export import FlatPorts, flat_rtlil, rtlil_to_verilog
from casemate.fuse.otp import OtpArray, OtpSignature
from litex.gen import LiteXModule
from migen import ClockSignal, Instance, ResetSignal

from .engine import Engine

__all__ = ["StandIns", "StandInsInstance"]

_NAME = "casemate_stand_ins"


class StandIns(wiring.Component):
    """Fuses that forget what is programmed when the power goes, and a source of entropy.

    Parameters
    ----------
    image:
        Words of the fuses.
    seed:
        For simulation: of the entropy. None: ring oscillators, for ECP5.

    Members
    -------
    otp: In(OtpSignature())
    entropy: Out(stream.Signature(32))
    """

    entropy: stream.Interface

    def __init__(self, image: Sequence[int], *, seed: int | None = None):
        self._image = image
        self._seed = seed
        super().__init__({"otp": In(OtpSignature()),
                          "entropy": Out(stream.Signature(ENTROPY_BITS))})

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        m.submodules.fuses = fuses = OtpArray(self._image)
        connect(m, flipped(self.otp), fuses.otp)
        if self._seed is None:
            m.submodules.source = source = RingOscillators()
            m.d.comb += source.enable.eq(1)
        else:
            m.submodules.source = source = SeededSource(self._seed)
        connect(m, source.o, flipped(self.entropy))
        return m


class StandInsInstance(LiteXModule):
    """The stand-ins in a LiteX SoC, connected to an engine with fuses.

    Parameters
    ----------
    engine:
        Its pins are driven.
    image, seed:
        See ``StandIns``.
    """

    def __init__(self, engine: Engine, image: Sequence[int], *, seed: int | None = None) -> None:
        flat = FlatPorts(StandIns(image, seed=seed))
        self._verilog = rtlil_to_verilog(flat_rtlil(flat, name=_NAME))
        connections: dict[str, Any] = {
            f"{'i' if name in flat.inputs else 'o'}_{name}": engine.pins[name]
            for name in flat.ports}
        self.specials += Instance(_NAME, i_clk=ClockSignal("sys"), i_rst=ResetSignal("sys"),
                                  **connections)

    def add_sources(self, platform: Any, folder: Path) -> None:
        """Write the Verilog, which holds the fuses' content, into `folder`; add it."""
        path = folder / f"{_NAME}.v"
        path.write_text(self._verilog)
        platform.add_source(str(path))
