"""Casemate: an open memory-encryption engine in Amaranth HDL."""

__version__ = "0.1.0"
