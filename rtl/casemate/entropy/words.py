"""What entropy comes in."""

__all__ = ["ENTROPY_BITS"]

ENTROPY_BITS = 32
"""Width of a word, from the source through the health tests to whoever uses it."""
