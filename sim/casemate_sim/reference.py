"""The golden model as the scoreboard needs it: who may do what, and what lines held before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casemate.config import LINE_BYTES, EngineConfig

from casemate_sim.bursts import BOUNDARY_BYTES, Burst, Kind
from casemate_sim.model import AccessError, GoldenEngine, Image

__all__ = ["Reference"]


class Reference:
    """A golden engine, and what it leaves to the bus: FIXED bursts, domains that authenticate.

    Parameters
    ----------
    config:
        The engine's configuration.
    image:
        Content of DRAM, changed in place.
    """

    def __init__(self, config: EngineConfig, image: Image) -> None:
        self._slots = config.domain_slots
        self._engine = GoldenEngine(config, image)
        self._viewer = GoldenEngine(config)  # decrypts what a line held some time ago
        self._encrypts: dict[int, bool] = {}
        self._authenticating: set[int] = set()
        self._reasons: dict[tuple[int, int], str | None] = {}

    @property
    def image(self) -> Image:
        """What DRAM must hold."""
        return self._engine.image

    def set_domain(self, slot: int, domain: int, *, encrypt: bool, authenticate: bool,
                   keys: Mapping[str, bytes]) -> None:
        """Give a slot to a domain. One that authenticates is one that nobody can use."""
        for engine in (self._engine, self._viewer):
            engine.set_slot(slot, valid=not authenticate, domain=domain, encrypt=encrypt)
            for name, key in keys.items():
                engine.load_key(slot, name, key)
        self._encrypts[domain] = encrypt
        if authenticate:
            self._authenticating.add(domain)
        else:
            self._authenticating.discard(domain)
        self._reasons.clear()

    def forget_domains(self) -> None:
        """Empty all slots, as a reset does."""
        for slot in range(self._slots):
            for engine in (self._engine, self._viewer):
                engine.set_slot(slot, valid=False)
        self._encrypts.clear()
        self._authenticating.clear()
        self._reasons.clear()

    def encrypts(self, domain: int) -> bool:
        """Whether a domain's lines are encrypted."""
        return self._encrypts[domain]

    def refusal(self, burst: Burst) -> str | None:
        """Why a burst is refused, None if it is not. No legal burst lies half in the window."""
        if burst.kind is Kind.FIXED:
            return "FIXED"
        if burst.domain in self._authenticating:
            return "authenticating domain"
        key = burst.domain, burst.address // BOUNDARY_BYTES
        if key not in self._reasons:
            try:
                self._engine.read(burst.domain, burst.address, 1)
                self._reasons[key] = None
            except AccessError as error:
                self._reasons[key] = ("outside the window" if "window" in error.reason
                                      else "unknown domain")
        return self._reasons[key]

    def write(self, domain: int, address: int, data: bytes, strobes: Sequence[bool]) -> bytes:
        """Write a line; return what DRAM holds of it now."""
        self._engine.write(domain, address, data, list(strobes))
        return self.image.read(address, LINE_BYTES)

    def view(self, domain: int, address: int, stored: bytes) -> bytes:
        """Return what a domain reads from a line while DRAM holds `stored`."""
        self._viewer.image.write(address, stored)
        return self._viewer.read(domain, address, LINE_BYTES)
