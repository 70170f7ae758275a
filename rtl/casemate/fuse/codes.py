"""Codewords of decisions: at least 5 bits apart, and as far from all zeros and all ones.

A register or fuse that holds a decision holds one of these codewords. Every other value, all zeros
and all ones among them, is taken for the safe one: its readers compare with the codewords that
allow something.
"""

from amaranth.lib import enum

__all__ = ["DISTANCE", "MARKS", "Debug", "FailurePolicy", "Flag", "KeySize", "LifeCycle", "Status",
           "codewords"]

DISTANCE = 5
"""Bits between any two codewords."""


def codewords(count: int, bits: int, distance: int = DISTANCE) -> tuple[int, ...]:
    """Return codewords of a lexicode: the smallest numbers that keep the distance.

    Parameters
    ----------
    count:
        How many.
    bits:
        Width of each.
    distance:
        Bits in which any two differ, and each differs from all zeros and all ones.

    Raises
    ------
    ValueError
        If there are not as many.
    """
    chosen = [0, (1 << bits) - 1]
    for word in range(1 << bits):
        if len(chosen) == count + 2:
            break
        if all((word ^ other).bit_count() >= distance for other in chosen):
            chosen.append(word)
    if len(chosen) < count + 2:
        raise ValueError(f"there are no {count} codewords of {bits} bits, {distance} bits apart")
    return tuple(chosen[2:])


class LifeCycle(enum.Enum, shape=13):
    """State of a device's life; it only moves down this list. No codeword: as ``SCRAP``."""

    BLANK, TEST, PROVISIONED, PRODUCTION, RETURN, SCRAP = codewords(6, 13)


MARKS = (0x73E1_D036, 0x3EB4_59C8, 0x0977_E471, 0xC3C7_9558, 0xEA3D_9D20)
"""Fuse words of the life cycle: word k is blank, or holds mark k once state k + 1 was entered."""


class Status(enum.Enum, shape=13):
    """What a partition was found to be. No codeword: as ``UNKNOWN``, and nothing is allowed."""

    UNKNOWN, OPEN, LOCKED, ERASED, DAMAGED = codewords(5, 13)


class Flag(enum.Enum, shape=13):
    """A yes. No codeword: no."""

    YES, NO = codewords(2, 13)


class KeySize(enum.Enum, shape=32):
    """Smallest key size that software may choose. No codeword: as ``AES_256``."""

    AES_128 = 0xB99A_14F8
    AES_256 = 0xC05C_6F96


class FailurePolicy(enum.Enum, shape=32):
    """Weakest policy that software may choose for a failed tag. No codeword: ``LOCK_ENGINE``."""

    REPORT = 0x1EDE_4247
    LOCK_DOMAIN = 0x1D69_079E
    LOCK_ENGINE = 0xB0F9_C8E1


class Debug(enum.Enum, shape=32):
    """When a debugger gets in after the secret is gone. No codeword: as ``NEVER``."""

    RETURNED = 0x09BA_5B35
    NEVER = 0xC715_06F5
