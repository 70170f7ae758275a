"""Coverage: bins are declared, counted, saved, merged and reported."""

import pytest
from casemate.config import preset
from casemate_sim.bursts import Burst
from casemate_sim.coverage import Coverage, bins, merge, report


def test_bins_are_distinct_and_depend_on_the_bus():
    tiny, server = bins(preset("tiny")), bins(preset("server"))
    assert len(set(tiny)) == len(tiny)
    assert "order/DRAM interleaves read data" in tiny
    assert "order/DRAM interleaves read data" not in server
    assert "burst/read, INCR, 64 bytes, 1 beats, aligned to line" in server


def test_hit_of_an_undeclared_bin_is_an_error():
    with pytest.raises(KeyError):
        Coverage(preset("tiny")).hit("hazard/read behind wriet")


def test_counts_survive_and_what_was_missed_is_named(tmp_path):
    coverage = Coverage(preset("tiny"))
    everything = len(coverage.missed)
    coverage.burst(Burst(write=True, address=0, length=4, size=4, bus_bytes=16))
    coverage.add("cycles", 7)
    coverage.save(tmp_path / "tiny.json")
    again = Coverage.load(tmp_path / "tiny.json", preset("tiny"))
    assert len(again.missed) == everything - 1
    assert again.totals == {"cycles": 7, "write bursts": 1, "write beats": 4}
    text = report(merge(tmp_path.glob("*.json")))
    rows = [line.split() for line in text.splitlines()]
    assert ["burst", f"1/{sum(name.startswith('burst/') for name in again.hits)}"] in rows
    assert ["cycles", "7"] in rows
    assert "missed by tiny: hazard/read behind write\n" in text
