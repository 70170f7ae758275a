"""Entropy: a noise source, and the health tests that every word passes first."""
