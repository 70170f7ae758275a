"""Cutoffs of the health tests (SP 800-90B sections 4.4.1 and 4.4.2).

A sample is a word of ``bits``; ``entropy`` is the min-entropy that its source claims for one; both
tests raise a false alarm with probability ``2 ** -alpha`` at most.
"""

from math import ceil, comb

__all__ = ["adaptive_cutoff", "repetition_cutoff"]


def repetition_cutoff(entropy: float, alpha: int = 30) -> int:
    """Return how many equal samples in a row are too many: ``1 + ceil(alpha / entropy)``."""
    if not entropy > 0:
        raise ValueError(f"entropy = {entropy} is not possible: more than 0 bits per sample")
    return 1 + ceil(alpha / entropy)


def adaptive_cutoff(entropy: float, window: int, alpha: int = 30) -> int:
    """Return how often a window may not show its first sample.

    ``1 + critbinom(window, 2 ** -entropy, 1 - 2 ** -alpha)``: one more than the smallest count that
    a binomial distribution exceeds with probability ``2 ** -alpha`` at most.
    """
    if not entropy > 0:
        raise ValueError(f"entropy = {entropy} is not possible: more than 0 bits per sample")
    chance = 2.0 ** -entropy
    above = 0.0
    for count in range(window, 0, -1):
        above += comb(window, count) * chance ** count * (1 - chance) ** (window - count)
        if above > 2.0 ** -alpha:
            return min(count + 1, window)
    return 2
