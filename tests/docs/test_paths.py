"""The search for combinational paths finds those that are there."""

from casemate.config import preset
from casemate_sim.documents.paths import combinational_paths


def test_requests_behind_a_register_follow_no_input():
    direct = combinational_paths(preset("tiny"))
    registered = combinational_paths(preset("tiny").replace(register_requests=True))
    assert "m_axi_arvalid" in direct["m_axi_bvalid"]
    assert not any("m_axi_arvalid" in ends for ends in registered.values())


def test_no_ready_follows_the_valid_of_its_own_channel():
    found = combinational_paths(preset("tiny"))
    assert found["s_axi_wvalid"] == ["s_axi_awready"]
    for bus, channels in (("s_axi", ("aw", "w", "ar")), ("m_axi", ("b", "r"))):
        for channel in channels:
            assert f"{bus}_{channel}ready" not in found.get(f"{bus}_{channel}valid", [])
