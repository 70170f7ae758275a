"""Who may own each granule while accesses that can change its owner are under way.

The engine orders accesses to one line, but not those to different lines of one granule: of two
domains that claim a granule at the same time either may get it, and an access beside a claim may
meet the granule before or after it. So what is known is the set of owners that a granule may
have; where nothing overlaps it has one element.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["NOBODY", "Owners", "Ticket"]

NOBODY = 0
"""Owner of a granule that belongs to no domain."""


@dataclass(eq=False)
class Ticket:
    """An access to a granule that is under way.

    Parameters
    ----------
    granule, domain, claim:
        What is accessed, by whom, and whether it takes what is nobody's.
    doubted:
        Called when the outcome turns out to be less certain than it was.
    """

    granule: int
    domain: int
    claim: bool
    doubted: Callable[[], None] | None = None
    seen: set[int] = field(default_factory=set)  # owners that it may have met
    overtaken: bool = False  # the granule was reclaimed meanwhile

    @property
    def may_be_granted(self) -> bool:
        """Whether the domain may have owned, or taken, the granule."""
        return self.domain in self.seen

    @property
    def may_be_denied(self) -> bool:
        """Whether somebody else, or nobody, may have owned it."""
        return bool(self.seen - {self.domain} - ({NOBODY} if self.claim else set()))


class Owners:
    """Owners of all granules; at first nobody owns any."""

    def __init__(self) -> None:
        self._possible: dict[int, set[int]] = {}
        self._tickets: dict[int, list[Ticket]] = defaultdict(list)

    def possible(self, granule: int) -> frozenset[int]:
        """Return every owner that a granule may have now."""
        return frozenset(self._possible.get(granule, {NOBODY}))

    def granules(self) -> list[int]:
        """Return every granule that somebody may ever have owned."""
        return sorted(self._possible)

    def begin(self, granule: int, domain: int, *, claim: bool = False,
              doubted: Callable[[], None] | None = None) -> Ticket:
        """Note that an access was accepted; :meth:`end` it when it was answered."""
        ticket = Ticket(granule, domain, claim, doubted)
        possible = set(self.possible(granule))
        if claim and NOBODY in possible:
            self._change(granule, possible | {domain})
        ticket.seen |= self.possible(granule)
        self._tickets[granule].append(ticket)
        return ticket

    def end(self, ticket: Ticket, *, granted: bool | None) -> None:
        """Note what became of an access; None where the answer does not tell."""
        granule = ticket.granule
        self._tickets[granule].remove(ticket)
        if not self._tickets[granule]:
            del self._tickets[granule]
        if ticket.overtaken or granted is None:
            return
        if granted:
            self._possible[granule] = {ticket.domain}
            # Whatever is under way met nobody or this owner: there was no other since it began.
            for other in self._tickets.get(granule, ()):
                if not other.overtaken:
                    other.seen &= {NOBODY, ticket.domain}
        elif ticket.claim:
            others = self.possible(granule) - {ticket.domain, NOBODY}
            if others:
                self._possible[granule] = set(others)

    def adopt(self, granule: int, domain: int) -> None:
        """Take note of an owner that was there before."""
        self._possible[granule] = {domain}

    def reclaim(self, granule: int) -> None:
        """Note that the supervisor has taken a granule."""
        tickets = self._tickets.get(granule, [])
        self._change(granule, {NOBODY} | {ticket.domain for ticket in tickets if ticket.claim})
        for ticket in tickets:
            ticket.overtaken = True
            if ticket.doubted:
                ticket.doubted()

    def _change(self, granule: int, possible: set[int]) -> None:
        self._possible[granule] = possible
        for ticket in self._tickets.get(granule, ()):
            before = ticket.may_be_granted, ticket.may_be_denied
            ticket.seen |= possible
            if ticket.doubted and before != (ticket.may_be_granted, ticket.may_be_denied):
                ticket.doubted()
