"""The designs are a module beside the tests; results go to a cache of the session."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(session_cache, monkeypatch):
    monkeypatch.setenv("CASEMATE_CACHE", str(session_cache))
    return session_cache
