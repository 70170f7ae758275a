"""What each line of DRAM has held, as far as somebody may still see it.

The engine orders accesses to one line: writes by their last beat of data (AXI4 has write data in
the order of their addresses), and a read that is accepted after that beat sees the write. A read
that is under way while writes come may see any content that the line has had since the read was
accepted, but one content for the whole line. So the legal results are known exactly, whatever
overlaps; where nothing overlaps there is exactly one.

A line may have two histories: of what lies in DRAM, for domains that do not authenticate, and of
what is read from it, for those that do. A content that cannot be predicted is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["SPOILT", "LineHistory"]

SPOILT = b"spoilt"
"""Content of a line that a domain that authenticates cannot read any more: it is refused."""


@dataclass
class _Version:
    cycle: float  # from which on a read that is accepted sees it
    stored: bytes | None  # 64 bytes
    writer: object  # who must be answered before it is certain


@dataclass
class LineHistory:
    """Contents of one line, oldest first; the last one is the newest.

    Parameters
    ----------
    stored:
        The content that nobody is changing: 64 bytes, or None.
    """

    stored: bytes | None
    versions: list[_Version] = field(init=False)
    _readers: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.versions = [_Version(float("-inf"), self.stored, None)]

    def write(self, cycle: int, stored: bytes | None, writer: object) -> None:
        """Append a content; `writer` is passed to :meth:`settle` when it has been answered."""
        self.versions.append(_Version(cycle, stored, writer))

    def doubt(self, cycle: int, writer: object) -> None:
        """Note that nobody knows whether `writer`, collected in `cycle`, writes anything."""
        first = next((index for index, version in enumerate(self.versions)
                      if version.writer is writer), None)
        if first is None:
            self.write(cycle, None, writer)
            first = len(self.versions) - 1
        for version in self.versions[first:]:
            version.stored = None

    def resolve(self, writer: object, stored: bytes) -> bool:
        """Note that `writer` has written the whole line; return whether it was the last to do so.

        An older content that was doubtful stays so for reads that may see it.
        """
        if self.versions[-1].writer is not writer:
            return False
        self.versions[-1].stored = stored
        return True

    def begin_read(self, cycle: int) -> None:
        """Note that a read was accepted: what it may see is kept."""
        self._readers.append(cycle)

    def legal(self, cycle: int) -> list[bytes | None]:
        """Return every content that a read accepted in `cycle` may see now."""
        oldest = max(index for index, version in enumerate(self.versions)
                     if version.cycle <= cycle)
        return [version.stored for version in self.versions[oldest:]]

    def end_read(self, cycle: int) -> None:
        """Note that a read accepted in `cycle` is over."""
        self._readers.remove(cycle)
        self._forget()

    def settle(self, writer: object) -> list[bytes | None]:
        """Note that `writer` was answered: what it wrote is in DRAM, unless it was overwritten.

        Returns
        -------
        list of bytes or None
            Every content that DRAM may have now.
        """
        last = max((index for index, version in enumerate(self.versions)
                    if version.writer is writer), default=0)
        for version in self.versions[:last + 1]:
            version.writer = None
        contents = [version.stored for version in self.versions[last:]]
        self._forget()
        return contents

    def _forget(self) -> None:
        """Drop what no read may see and no reset can bring back."""
        seen = min(self._readers, default=float("inf"))
        settled = max(index for index, version in enumerate(self.versions)
                      if version.writer is None)
        while settled and self.versions[settled].cycle > seen:
            settled -= 1
        del self.versions[:settled]

    @property
    def contents(self) -> list[bytes | None]:
        """Every content that a reset may leave in DRAM."""
        settled = max(index for index, version in enumerate(self.versions)
                      if version.writer is None)
        return [version.stored for version in self.versions[settled:]]

    @property
    def being_read(self) -> bool:
        """Whether a read is under way."""
        return bool(self._readers)

    @property
    def quiet(self) -> bool:
        """Whether nothing is in flight."""
        return len(self.versions) == 1 and not self._readers
