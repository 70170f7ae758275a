"""The key fuse block: one-time-programmable words, their checks, the root key's only way out."""
