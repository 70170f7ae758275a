"""A demonstration step by step: what was done, and whether what was seen is as it must be."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Step"]


@dataclass
class Step:
    """What happened in one step.

    Attributes
    ----------
    title:
        What it shows.
    facts:
        What was seen, in order: a sentence, and whether it is as it must be.
    cycles:
        Clock cycles that it took, resets included.
    """

    title: str
    facts: list[tuple[str, bool]] = field(default_factory=list)
    cycles: int = 0

    @property
    def ok(self) -> bool:
        """Everything is as it must be."""
        return all(good for _, good in self.facts)

    def check(self, text: str, good: object) -> None:
        """Note what must be so."""
        self.facts.append((text, bool(good)))
