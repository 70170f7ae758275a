"""Options and fixtures of all tests."""

import pytest

DEFAULT_SEED = 20_261_123


def pytest_addoption(parser):
    group = parser.getgroup("casemate")
    group.addoption("--seed", type=lambda text: int(text, 0), default=DEFAULT_SEED,
                    help="seed of every random choice (default: %(default)s)")
    group.addoption("--vcd", action="store_true",
                    help="keep the waves of system tests as VCD files under build/system")


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
