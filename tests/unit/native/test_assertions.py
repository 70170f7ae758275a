"""A broken rule of AXI4 ends a native simulation; its error names the rule and the cycle."""

import functools
import re

import pytest
from casemate.axi.rules import Rules
from casemate.config import preset
from casemate_sim.build import cache_directory
from casemate_sim.native import memory_system
from casemate_sim.native.library import build_library
from casemate_sim.native.simulation import SimulationError
from casemate_sim.simulate import simulate
from casemate_sim.workload import generate


def test_a_broken_rule_is_the_error_of_the_run(tmp_path, monkeypatch):
    # What is built here must not be found by others; the runtime is not changed.
    for runtime in cache_directory().glob("verilator-runtime-*"):
        (tmp_path / runtime.name).symlink_to(runtime)
    monkeypatch.setenv("CASEMATE_CACHE", str(tmp_path))
    # For a run of a hundred cycles.
    monkeypatch.setitem(build_library.__kwdefaults__, "cpp_flags", ("-O0", "-w"))
    # The player has more reads in flight than these rules have room for.
    monkeypatch.setattr(memory_system, "Rules", functools.partial(Rules, outstanding=4))
    records = generate("stream", count=200, footprint_bytes=1 << 16)
    with pytest.raises(SimulationError) as caught:
        simulate(records, config=preset("tiny"), mode="bare")
    found = re.fullmatch(r"cycle (\d+): bus: AXI4_AUX_AR_OUTSTANDING \(ours\): more than 4 bursts "
                         r"are outstanding\.", str(caught.value))
    assert found and 4 < int(found[1]) < 100
