"""Back-pressure on every channel of both buses, and whether it was felt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice, repeat
from random import Random

from casemate_sim.coverage import CHANNELS, PROFILES, Coverage

__all__ = ["BackPressure", "pauses"]


def pauses(profile: str, random: Random) -> Iterator[bool]:
    """Yield, for each cycle, whether a channel pauses: does not become ready, or valid.

    Parameters
    ----------
    profile:
        ``always`` (ready), ``alternate`` (every other cycle; now and then the even and the odd
        change places, so that two channels do not always meet), ``random`` (two cycles of five),
        ``stalls`` (up to 80 cycles at a time).
    random:
        Source of every choice.
    """
    if profile == "always":
        yield from repeat(False)
    elif profile == "alternate":
        while True:
            yield from islice(cycle((True, False)), random.randint(10, 41))
    elif profile == "random":
        while True:
            yield random.random() < 0.4
    elif profile == "stalls":
        while True:
            yield from repeat(False, random.randint(1, 40))
            yield from repeat(True, random.randint(1, 80))
    else:
        raise ValueError(f"no profile is called {profile!r}; there are {', '.join(PROFILES)}")


class BackPressure:
    """The profile of each channel.

    Parameters
    ----------
    profiles:
        Profile by channel, as ``coverage.CHANNELS`` names them; ``always`` for those left out.
    random:
        Source of every choice.
    coverage:
        Where it is counted that a pause held something up.
    """

    def __init__(self, profiles: Mapping[str, str], random: Random, coverage: Coverage) -> None:
        unknown = set(profiles) - set(CHANNELS)
        if unknown:
            raise ValueError(f"no channel is called {unknown}; there are {', '.join(CHANNELS)}")
        self._profiles = dict.fromkeys(CHANNELS, "always") | dict(profiles)
        self._random = random
        self._coverage = coverage

    @classmethod
    def of_all(cls, profile: str, random: Random, coverage: Coverage) -> BackPressure:
        """Use one profile on all channels; ``mixed`` draws one for each."""
        profiles = {channel: random.choice(PROFILES) if profile == "mixed" else profile
                    for channel in CHANNELS}
        return cls(profiles, random, coverage)

    def pauses(self, channel: str, waiting: Callable[[], bool] | None = None) -> Iterator[bool]:
        """Yield a channel's pauses; `waiting` says whether there is something to hold up."""
        for pause in pauses(self._profiles[channel], self._random):
            if waiting is not None and waiting():
                self.felt(channel, stalled=pause)
            yield pause

    def generator(self, channel: str,
                  waiting: Callable[[], bool] | None = None) -> Iterator[bool] | None:
        """Return what cocotbext-axi wants to have: no generator for a channel without pauses."""
        return None if self._profiles[channel] == "always" else self.pauses(channel, waiting)

    def felt(self, channel: str, *, stalled: bool) -> None:
        """Note that something went through the channel, or was held up on it."""
        profile = self._profiles[channel]
        if stalled != (profile == "always"):
            self._coverage.hit(f"back-pressure/{channel}, {profile}")
