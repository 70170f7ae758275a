"""The golden model as the scoreboard needs it: who may do what, and what lines held before.

What domains that do not authenticate leave in DRAM is known to the last byte, and kept as it lies
there; what the others have written is in ``texts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casemate.config import LINE_BYTES, EngineConfig

from casemate_sim.bursts import BOUNDARY_BYTES, Burst, Kind
from casemate_sim.model import AccessError, GoldenEngine, Image
from casemate_sim.texts import Texts

__all__ = ["Reference"]


class Reference(Texts):
    """A golden engine, and what it leaves to the bus: FIXED bursts, and what is not certain.

    Parameters
    ----------
    config:
        The engine's configuration. Without ``config.tree`` nobody can use a slot that is to
        authenticate.
    image:
        Content of DRAM, changed in place.
    """

    def __init__(self, config: EngineConfig, image: Image) -> None:
        super().__init__(config)
        self._engine = GoldenEngine(config, image)
        self._viewer = GoldenEngine(config)  # decrypts what a line held some time ago
        self._refused: set[int] = set()  # domains that would authenticate, without a tree
        self._reasons: dict[tuple[int, int], str | None] = {}

    @property
    def image(self) -> Image:
        """What DRAM must hold, as far as it can be predicted."""
        return self._engine.image

    # -- domains -----------------------------------------------------------------------------

    def set_domain(self, slot: int, domain: int, *, encrypt: bool, authenticate: bool,
                   keys: Mapping[str, bytes]) -> None:
        """Give a slot to a domain; what it protected under other keys is lost."""
        usable = not authenticate or self._config.tree is not None
        for engine in (self._engine, self._viewer):
            engine.set_slot(slot, valid=usable, domain=domain, encrypt=encrypt,
                            authenticate=authenticate and usable)
            for name, key in keys.items():
                engine.load_key(slot, name, key)
        self._engine_key = keys.get("K4", self._engine_key)
        self._learn_keys(domain, encrypt=encrypt, authenticate=authenticate, keys={
            name: key for name, key in keys.items() if name != "K4"})
        if usable:
            self._refused.discard(domain)
            self._protects |= authenticate
        else:
            self._refused.add(domain)
        self._reasons.clear()

    def forget_domains(self) -> None:
        """Empty all slots and clear the root, as a reset does."""
        for slot in range(self._config.domain_slots):
            for engine in (self._engine, self._viewer):
                engine.set_slot(slot, valid=False)
        self._refused.clear()
        self._reasons.clear()
        self._forget()

    def encrypts(self, domain: int) -> bool:
        """Whether a domain's lines are encrypted."""
        return self._modes[domain][0]

    def authenticates(self, domain: int) -> bool:
        """Whether a domain's lines are verified."""
        return self._modes[domain][1]

    def refusal(self, burst: Burst) -> str | None:
        """Why a burst is refused, None if it is not. No legal burst lies half in the window.

        Owners are another matter; see :attr:`owners`.
        """
        if burst.kind is Kind.FIXED:
            return "FIXED"
        if burst.domain in self._refused:
            return "authenticating domain"
        key = burst.domain, burst.address // BOUNDARY_BYTES
        if key not in self._reasons:
            try:
                self._engine.check(burst.domain, burst.address, 1)
                self._reasons[key] = None
            except AccessError as error:
                self._reasons[key] = ("outside the window" if "window" in error.reason
                                      else "unknown domain")
        return self._reasons[key]

    # -- lines as they lie in DRAM -----------------------------------------------------------

    def stored(self, address: int) -> bytes | None:
        """Return what DRAM holds of a line, None if that is not known."""
        return None if address in self._unknown else self.image.read(address, LINE_BYTES)

    def write(self, domain: int, address: int, data: bytes,
              strobes: Sequence[bool]) -> bytes | None:
        """Write a line as a domain that does not authenticate; return what DRAM holds now."""
        if all(strobes):
            self._unknown.discard(address)
        self._engine.write(domain, address, data, list(strobes))
        return self.stored(address)

    def view(self, domain: int, address: int, stored: bytes) -> bytes:
        """Return what a domain reads from a line while DRAM holds `stored`."""
        self._viewer.image.write(address, stored)
        return self._viewer.read(domain, address, LINE_BYTES)

    def take_over(self, address: int, stored: bytes) -> None:
        """Note what DRAM holds of a line, whatever was expected."""
        self.image.write(address, stored)
        self._unknown.discard(address)

    @property
    def unknown(self) -> frozenset[int]:
        """Addresses of lines of which DRAM's content is not known."""
        return frozenset(self._unknown)

    # -- the end -----------------------------------------------------------------------------

    def difference(self, dram: Image) -> str | None:
        """Compare every byte of DRAM that can be predicted; return the first that differs."""
        for address in self._unknown:
            self.image.write(address, dram.read(address, LINE_BYTES))
        if self._protects:
            for region in self._config.regions[1:]:
                for image in (dram, self.image):
                    for start, page in image.pages():
                        low = max(start, region.base)
                        high = min(start + len(page), region.end)
                        if low < high:
                            self.image.write(low, dram.read(low, high - low))
        difference = self.image.first_difference(dram)
        if difference is None:
            return None
        address, expected, found = difference
        return f"DRAM holds {found:#04x} instead of {expected:#04x} at {address:#x}"
