"""The cache filter against a hierarchy written out by hand, and against pycachesim's counters."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from casemate_sim.caches import HIERARCHIES, CacheError, CacheFilter, parse_hierarchy
from casemate_sim.trace import CacheLevel
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cachesim", reason="needs pycachesim: pip install 'casemate[record]'")

SMALL = (CacheLevel(name="L1", size=4 * 64, ways=2), CacheLevel(name="L2", size=16 * 64, ways=4))

Event = tuple[int, int, bool]


class Hierarchy:
    """Write-back LRU caches, one set a list of [line, dirty], most recent first."""

    def __init__(self, levels: tuple[CacheLevel, ...]) -> None:
        self.ways = [level.ways for level in levels]
        self.sets = [[[] for _ in range(level.size // 64 // level.ways)] for level in levels]
        self.events: list[Event] = []
        self.now = 0

    def run(self, accesses: list[tuple[int, bool]]) -> list[Event]:
        for self.now, (line, write) in enumerate(accesses):
            self.read(0, line)
            if write:
                self.find(0, line)[1] = True
        return self.events

    def set_of(self, level: int, line: int) -> list:
        return self.sets[level][line % len(self.sets[level])]

    def find(self, level: int, line: int) -> list | None:
        return next((entry for entry in self.set_of(level, line) if entry[0] == line), None)

    def read(self, level: int, line: int) -> None:
        if level == len(self.sets):
            self.events.append((self.now, line, False))
            return
        entry = self.find(level, line)
        if entry is None:
            self.read(level + 1, line)
            self.insert(level, [line, False])
        else:
            self.set_of(level, line).remove(entry)
            self.set_of(level, line).insert(0, entry)

    def write_back(self, level: int, line: int) -> None:
        if level == len(self.sets):
            self.events.append((self.now, line, True))
        elif (entry := self.find(level, line)) is not None:
            entry[1] = True
        else:
            self.insert(level, [line, True])

    def insert(self, level: int, entry: list) -> None:
        entries = self.set_of(level, entry[0])
        entries.insert(0, entry)
        if len(entries) > self.ways[level]:
            line, dirty = entries.pop()
            if dirty:
                self.write_back(level + 1, line)


def events(caches: CacheFilter, accesses: list[tuple[int, bool]], base: int = 0) -> list[Event]:
    cause, line, write = caches.filter(
        np.array([access[0] for access in accesses], np.uint64),
        np.array([access[1] for access in accesses], bool))
    return list(zip((cause + base).tolist(), line.tolist(), write.tolist(), strict=True))


ACCESSES = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=300)


@settings(deadline=None)
@given(ACCESSES, st.sampled_from([SMALL, SMALL[:1], parse_hierarchy("128:1,512:8,1K:4")]))
def test_what_leaves_the_last_level_is_what_a_hierarchy_by_hand_gives(
        accesses: list[tuple[int, bool]], levels: tuple[CacheLevel, ...]) -> None:
    assert events(CacheFilter(levels), accesses) == Hierarchy(levels).run(accesses)


@settings(deadline=None)
@given(ACCESSES, st.integers(1, 50))
def test_it_does_not_matter_where_accesses_are_cut(
        accesses: list[tuple[int, bool]], size: int) -> None:
    caches, found = CacheFilter(SMALL), []
    for start in range(0, len(accesses), size):
        found += events(caches, accesses[start:start + size], start)
    assert found == Hierarchy(SMALL).run(accesses)


def test_reads_and_write_backs_are_those_that_pycachesim_counts() -> None:
    random = np.random.default_rng(7)
    caches = CacheFilter(HIERARCHIES["embedded"])
    line = (random.zipf(1.2, size=100_000) % 20_000).astype(np.uint64)
    _, _, write = caches.filter(line, random.random(100_000) < 0.3)
    assert (~write).sum() == caches.misses()["L2"] > 1000
    assert write.sum() == caches.write_backs()["L2"] > 1000


def test_addresses_beyond_32_bits_are_kept() -> None:
    line = (1 << 41) + 5
    assert events(CacheFilter(SMALL), [(line, False), (5, False)]) == [
        (0, line, False), (1, 5, False)]


def test_what_others_print_meanwhile_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    events(CacheFilter(SMALL), [(n, True) for n in range(100)])
    print("still here")
    assert capsys.readouterr().out == "still here\n"


@pytest.mark.parametrize("text", ["32K:8,256K:8,2M:16", " 32k:8, 256k:8, 2m:16", "desktop"])
def test_a_hierarchy_is_read_from_text(text: str) -> None:
    assert parse_hierarchy(text) == HIERARCHIES["desktop"]


@pytest.mark.parametrize(("text", "message"), [
    ("32K", "cache level '32K' is not SIZE:WAYS, as in 32K:8; hierarchies with a name are d"),
    ("", "cache level '' is not SIZE:WAYS"),
    ("32K:8,x:4", "cache level 'x:4' is not SIZE:WAYS"),
    ("48K:8", "L1 of 49152 bytes in 8 ways is not possible: size / (64 * ways) must be a power of"),
    ("32K:8,100:1", "L2 of 100 bytes in 1 ways is not possible"),
    ("32K:0", "L1 of 32768 bytes in 0 ways is not possible"),
])
def test_an_impossible_hierarchy_is_refused(text: str, message: str) -> None:
    with pytest.raises(CacheError, match=f"^{re.escape(message)}"):
        parse_hierarchy(text)


def test_missing_pycachesim_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cachesim", None)
    with pytest.raises(CacheError, match=r"pip install 'casemate\[record\]'"):
        CacheFilter(SMALL)
