"""Targets exist, or are refused with what there is."""

import pytest
from casemate_sim.synthesis.devices import DEVICES, DeviceError, Placer, Target, find_device


def test_device_is_found_in_any_case():
    assert find_device("lfe5u-85f") is DEVICES["LFE5U-85F"]


def test_unknown_device_lists_those_that_there_are():
    message = r"'XC7A35T'; there are LFE5U-25F, .*LFE5UM5G-85F, GW2AR-18"
    with pytest.raises(DeviceError, match=message):
        find_device("XC7A35T")


@pytest.mark.parametrize(("change", "message"), [
    ({"package": "QFN32"}, "LFE5UM5G-85F has no package 'QFN32'; there are CABGA756, CABGA554"),
    ({"grade": "6"}, "LFE5UM5G-85F has no speed grade '6'; there are 8"),
    ({"frequency_mhz": 0.0}, "above 0, not 0.0 MHz")])
def test_impossible_targets(change, message):
    values = {"package": "CABGA381", "grade": "8", "frequency_mhz": 100.0} | change
    with pytest.raises(DeviceError, match=message):
        Target(device=DEVICES["LFE5UM5G-85F"], **values)


def test_where_a_clock_pin_is_known_router2_routes_from_there():
    known, other = (Target(device=DEVICES["LFE5U-25F"], package=package, grade="6",
                           frequency_mhz=25.0) for package in ("CABGA381", "CABGA256"))
    assert known.files == {"clock.lpf": 'LOCATE COMP "clk" SITE "G2";\n'
                                        'IOBUF PORT "clk" IO_TYPE=LVCMOS33;\n'}
    assert known.options[-3:] == ("--lpf", "clock.lpf", "--lpf-allow-unconstrained")
    assert known.routing_options[-2:] == ("--router", "router2")
    assert not other.files and "--router" not in other.options


def test_nextpnr_is_told_to_leave_timing_alone():
    target = Target(device=DEVICES["LFE5U-25F"], package="CABGA256", grade="6",
                    frequency_mhz=25.0, timing_driven=False)
    assert target.routing_options[-1] == "--no-tmdriv"
    assert target.as_dict()["timing_driven"] is False


def test_room_needs_the_router_that_tells_what_is_crowded():
    with pytest.raises(DeviceError, match="room needs router2, which does not route LFE5U-25F in "
                                          "package CABGA256"):
        Target(device=DEVICES["LFE5U-25F"], package="CABGA256", grade="6", frequency_mhz=25.0,
               room=1)


@pytest.mark.parametrize("placer", Placer)
def test_the_placer_is_told_to_nextpnr_and_is_in_the_report(placer):
    target = Target(device=DEVICES["LFE5U-25F"], package="CABGA256", grade="6",
                    frequency_mhz=25.0, placer=placer)
    assert target.options[-2:] == ("--placer", placer.value)
    assert target.as_dict()["placer"] == placer.value


def test_registers_of_block_ram_are_refused_where_there_are_none():
    with pytest.raises(DeviceError, match="the block RAM of GW2AR-18 has no registers"):
        Target(device=DEVICES["GW2AR-18"], package="QN88", grade="C8/I7", frequency_mhz=50.0,
               ram_registers=True)
