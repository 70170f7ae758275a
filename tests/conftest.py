"""Options and fixtures of all tests; what takes long begins first."""

import gc
import itertools
import os

import pytest

DEFAULT_SEED = 20_261_123

LONGEST = (
    "system/test_system.py", "formal/test_axi_rules.py", "adversary/test_control.py",
    "cli/test_sim.py", "unit/aes/test_cipher_vectors.py", "formal/test_metadata_control.py",
    "key_manager/test_anchor.py", "adversary/test_supervisor.py", "adversary/test_native.py",
    "formal/test_key_secrecy.py", "unit/modes/test_xts.py", "unit/engine/test_core.py",
    "cpu/test_boot.py", "formal/test_ciphers.py", "synthesis/test_netlist_simulation.py",
    "cpu/test_sleep.py", "board/test_selftest.py", "cli/test_walkthrough.py",
    "key_manager/test_engine.py", "unit/metadata/test_unit.py", "formal/test_aes.py",
    "formal/test_fuse.py", "unit/metadata/test_tampering.py", "system/test_build_cocotb.py",
    "unit/axi/test_burst.py", "unit/native/test_assertions.py", "sweep/test_sweep.py",
    "mutation/test_mutation.py",
)
"""Files that take more than half a minute on an empty cache, the longest first."""


def pytest_addoption(parser):
    group = parser.getgroup("casemate")
    group.addoption("--seed", type=lambda text: int(text, 0), default=DEFAULT_SEED,
                    help="seed of every random choice (default: %(default)s)")
    group.addoption("--vcd", action="store_true",
                    help="keep the waves of system tests as VCD files under build/system")


def pytest_configure(config):
    # An elaboration makes millions of objects that stay until it is over; looking through them
    # again and again for garbage takes a third of its time.
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


@pytest.hookimpl(trylast=True)  # what is deselected is gone by then
def pytest_collection_modifyitems(config, items):
    """Deal the long files to the workers, so that none begins when the others have nothing left.

    A worker of ``--dist worksteal`` gets a part of the list, as long as the others' parts, and
    those that are ready first take what is at the end of it.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    folder = config.rootpath / "tests"
    rank = {folder / name: place for place, name in enumerate(LONGEST)}
    long = sorted((item for item in items if item.path in rank), key=lambda item: rank[item.path])
    short = iter([item for item in items if item.path not in rank])
    files = [list(group) for _, group in itertools.groupby(long, key=lambda item: item.path)]
    size = len(items) // workers
    dealt = []
    for worker in range(workers):
        own = list(itertools.chain.from_iterable(files[worker::workers]))
        dealt += [*own, *itertools.islice(short, max(0, size - len(own)))]
    items[:] = [*dealt, *short]


def pytest_report_header(config):
    return f"casemate: --seed {config.getoption('seed')}"


@pytest.fixture
def seed(request):
    """Seed for a test's random choices; ``--seed`` changes it, a failure prints it."""
    return request.config.getoption("seed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and "seed" in getattr(item, "fixturenames", ()):
        report.sections.append(("seed", f"replay with --seed {item.config.getoption('seed')}"))
    return report
