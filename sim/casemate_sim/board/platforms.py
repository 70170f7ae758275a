"""Boards that people own: where clock, serial line, LEDs and a button are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth import ClockDomain, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from casemate_sim.board.config import CLOCK_HERTZ
from casemate_sim.board.top import BoardTop
from casemate_sim.toolchain import ToolError

__all__ = ["BOARDS", "BoardKind", "OnBoard"]


@dataclass(frozen=True, kw_only=True)
class BoardKind:
    """A board.

    Attributes
    ----------
    name:
        What openFPGALoader calls it.
    title:
        What people call it.
    module, platform:
        Where in amaranth-boards it is.
    pins:
        Connects tamper button and LEDs of a top to those of a platform.
    text:
        Where its LEDs, its button and its serial line are.
    """

    name: str
    title: str
    module: str
    platform: str
    pins: Callable[[Module, Any, BoardTop], None]
    text: str

    def create_platform(self) -> Any:
        """Return Amaranth's platform.

        Raises
        ------
        ToolError
            If amaranth-boards is not installed.
        """
        try:
            from importlib import import_module

            return getattr(import_module(f"amaranth_boards.{self.module}"), self.platform)()
        except ImportError as error:
            raise ToolError("amaranth-boards is not installed: pip install "
                            "'casemate[board]'") from error


class OnBoard(Elaboratable):
    """A top with the pins of a board.

    Parameters
    ----------
    top:
        What is on the board; its clock is ``sync``.
    kind:
        The board.
    """

    def __init__(self, top: BoardTop, kind: BoardKind):
        self._top = top
        self._kind = kind

    def elaborate(self, platform: Any) -> Module:
        """Request pins and clock."""
        m = Module()
        self._elaborate_clock(m, platform)
        m.submodules.top = top = self._top
        uart = platform.request("uart", dir="-")
        _drive(m, uart.tx, top.tx)
        m.d.comb += top.rx.eq(_pin(m, uart.rx))
        self._kind.pins(m, platform, top)
        return m

    def _elaborate_clock(self, m: Module, platform: Any) -> None:
        """Divide the board's clock; reset until the divided one is stable."""
        m.domains.sync = sync = ClockDomain()
        clock = _pin(m, platform.request(platform.default_clk, dir="-"))
        feedback, output, locked = Signal(), Signal(), Signal()
        m.submodules.pll = Instance(
            "EHXPLLL", **_pll_parameters(round(platform.default_clk_frequency)),
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2", i_CLKI=clock, i_CLKFB=feedback, o_CLKOP=feedback,
            o_CLKOS=output, o_LOCK=locked, i_RST=0, i_STDBY=0, i_PHASESEL0=0, i_PHASESEL1=0,
            i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1, i_PLLWAKESYNC=0, i_ENCLKOP=0)
        # nextpnr derives what timing is checked against from the PLL's parameters.
        m.d.comb += sync.clk.eq(output)
        m.submodules.reset = ResetSynchronizer(~locked)


def _pin(m: Module, port: Any) -> Signal:
    """Return the level of an input."""
    m.submodules += (buffer := io.Buffer("i", port))
    return buffer.i


def _drive(m: Module, port: Any, level: Signal) -> None:
    """Drive an output."""
    m.submodules += (buffer := io.Buffer("o", port))
    m.d.comb += buffer.o.eq(level)


def _ulx3s(m: Module, platform: Any, top: BoardTop) -> None:
    for number, led in enumerate((top.booting, top.protected, top.tampered)):
        _drive(m, platform.request("led", number, dir="-"), led)
    m.d.comb += top.tamper.eq(_pin(m, platform.request("button_fire", 0, dir="-")))


def _ecpix5(m: Module, platform: Any, top: BoardTop) -> None:
    led = platform.request("rgb_led", 0, dir="-")
    for port, level in ((led.b, top.booting), (led.g, top.protected), (led.r, top.tampered)):
        _drive(m, port, level)


_COMPARED_HERTZ = 25_000_000  # both clocks at the PLL's phase detector; at least 10 MHz
_PLL_HERTZ = 600_000_000  # its oscillator; 400 to 800 MHz


def _pll_parameters(board_hertz: int) -> dict[str, str | int]:
    """Return what makes a PLL give the board top's clock.

    The clock is too slow for the phase detector, so another output is fed back.
    """
    assert board_hertz % _COMPARED_HERTZ == 0 and _PLL_HERTZ % CLOCK_HERTZ == 0
    parameters = {
        "PLLRST_ENA": "DISABLED", "INTFB_WAKE": "DISABLED", "STDBY_ENABLE": "DISABLED",
        "DPHASE_SOURCE": "DISABLED", "OUTDIVIDER_MUXA": "DIVA", "OUTDIVIDER_MUXB": "DIVB",
        "OUTDIVIDER_MUXC": "DIVC", "OUTDIVIDER_MUXD": "DIVD", "FEEDBK_PATH": "CLKOP",
        "CLKI_DIV": board_hertz // _COMPARED_HERTZ, "CLKFB_DIV": 1}
    for output, hertz in (("CLKOP", _COMPARED_HERTZ), ("CLKOS", CLOCK_HERTZ)):
        divisor = _PLL_HERTZ // hertz
        parameters |= {f"{output}_ENABLE": "ENABLED", f"{output}_DIV": divisor,
                       f"{output}_CPHASE": divisor // 2 - 1, f"{output}_FPHASE": 0}
    return {f"p_{name}": value for name, value in parameters.items()}


BOARDS: dict[str, BoardKind] = {
    "ulx3s_85f": BoardKind(
        name="ulx3s", title="ULX3S, LFE5U-85F", module="ulx3s", platform="ULX3S_85F_Platform",
        pins=_ulx3s, text="LEDs D0 booting, D1 protected, D2 tampered; button FIRE 1 opens "
        "the case; serial line on the FTDI chip behind US1"),
    "ecpix5_85f": BoardKind(
        name="ecpix5", title="ECPIX-5, LFE5UM5G-85F", module="ecpix5", platform="ECPIX585Platform",
        pins=_ecpix5, text="RGB LED 0: blue booting, green protected, red "
        "tampered; no button; serial line on the FTDI chip behind the USB connector of the "
        "programmer, its second port"),
}
"""Boards by name."""
