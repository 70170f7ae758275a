"""Modes of operation over the block cipher: XTS, GHASH and GMAC."""
