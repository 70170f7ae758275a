"""Timings: rounding against values worked out by hand from the speed bins."""

import re

import pytest
from casemate_sim.dram.timing import PRESETS, timing_preset


def test_ddr3_1066_rounds_the_speed_bin_up_to_controller_cycles_of_7_5_ns():
    timing = timing_preset("ddr3-1066")
    # tCK 1.875 ns. tRCD, tRP: 13.125 ns = 7 clocks. tRAS: 37.5 ns = 20. tRC 27. tRTP 4.
    assert (timing.t_rcd, timing.t_rp, timing.t_ras, timing.t_rc, timing.t_rtp) == (2, 2, 5, 7, 1)
    # CWL 6 + burst 4 + tWR 8 = 18 clocks; tRRD 10 ns = 6; tFAW 50 ns = 27
    assert (timing.t_wtp, timing.t_rrd, timing.t_faw) == (5, 2, 7)
    # CL 7 - CWL 6 + 4 + 2 = 7 clocks; CWL 6 + 4 + tWTR 4 = 14
    assert (timing.t_rtw, timing.t_wtr) == (2, 4)
    # 7.8 us / 7.5 ns; 160 ns = 86 clocks; CL 2 cycles + PHY 6 + controller 5
    assert (timing.t_refi, timing.t_rfc, timing.read_latency) == (1040, 22, 13)


def test_ddr4_2400_rounds_the_speed_bin_up_to_controller_cycles_of_3_33_ns():
    timing = timing_preset("ddr4-2400")
    # tCK 0.8333 ns. tRCD, tRP: 13.32 ns = 16 clocks. tRAS: 32 ns = 39. tRC 55. tRTP 9.
    assert (timing.t_rcd, timing.t_rp, timing.t_ras, timing.t_rc, timing.t_rtp) == (4, 4, 10, 14, 3)
    # CWL 12 + burst 4 + tWR 18 = 34 clocks; tRRD 6.4 ns = 8; tFAW 30 ns = 36
    assert (timing.t_wtp, timing.t_rrd, timing.t_faw) == (9, 2, 9)
    # CL 16 - CWL 12 + 4 + 2 = 10 clocks; CWL 12 + 4 + tWTR 9 = 25
    assert (timing.t_rtw, timing.t_wtr) == (3, 7)
    # 7.8 us / 3.33 ns; 350 ns = 420 clocks; CL 4 cycles + PHY 5 + controller 5
    assert (timing.t_refi, timing.t_rfc, timing.read_latency) == (2340, 105, 14)


def test_fixed_latency_has_neither_rows_nor_refresh():
    timing = timing_preset("fixed-latency")
    assert not timing.rows
    assert timing.t_refi == 0


def test_an_unknown_preset_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match=r"'ddr9'; there are ddr3-1066, ddr4-2400, fixed-latency"):
        timing_preset("ddr9")


@pytest.mark.parametrize(("name", "value", "message"), [
    ("banks", 6, "banks must be 2, 4, 8, 16 or 32, not 6"),
    ("read_latency", 1, "read_latency must be 2 to 1000 cycles, not 1"),
    ("t_ras", 201, "t_ras must be 0 to 200 cycles, not 201"),
    ("t_rfc", 1040, "t_rfc must be 2 to t_refi - 1 cycles, not 1040"),
    ("write_low", 12, "write_low and write_high must satisfy 0 <= low < high <= 16, not 12 and 12"),
    ("group", 0, "group must be 1 to 255, not 0"),
])
def test_an_impossible_value_is_refused_with_what_is_allowed(name, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PRESETS["ddr3-1066"].replace(**{name: value})
