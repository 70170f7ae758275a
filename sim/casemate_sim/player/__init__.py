"""A trace player in hardware: memory traffic as a core makes it, and what it measured."""
