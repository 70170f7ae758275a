"""One simulated device for all tests of a process: it is built once."""

import pytest
from casemate_sim.fuses.device import FuseDevice


@pytest.fixture(scope="session")
def device():
    return FuseDevice(check_bits=8)
