"""Where what lies in the fuses."""

from dataclasses import dataclass

__all__ = ["CONFIGURATION", "DIGEST_WORDS", "IDENTITY", "LIFE_CYCLE", "PARTITIONS",
           "PROVISIONED_MARK", "SECRET", "WORDS", "Partition"]

DIGEST_WORDS = 2


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A group of words that is checked and locked as a whole.

    Attributes
    ----------
    name:
        What people call it.
    number:
        Its number in the digest.
    base:
        Address of its first word.
    words:
        Words of data.
    digest_words:
        Words behind the data that hold the digest; none in the life cycle, which stays writable.
    """

    name: str
    number: int
    base: int
    words: int
    digest_words: int = DIGEST_WORDS

    @property
    def digest_base(self) -> int:
        """Address of the first word of the digest."""
        return self.base + self.words

    @property
    def end(self) -> int:
        """Address behind the last word."""
        return self.digest_base + self.digest_words


LIFE_CYCLE = Partition(name="life cycle", number=0, base=0, words=5, digest_words=0)
IDENTITY = Partition(name="identity", number=1, base=8, words=6)
CONFIGURATION = Partition(name="configuration", number=2, base=16, words=4)
SECRET = Partition(name="secret", number=3, base=24, words=8)

PROVISIONED_MARK = 1
"""Number of the mark that the controller programs by itself, behind the root key."""

PARTITIONS = (LIFE_CYCLE, IDENTITY, CONFIGURATION, SECRET)
WORDS = 34
"""Words of the array, those between the partitions included."""
