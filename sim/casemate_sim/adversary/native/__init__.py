"""A campaign's simulation of the exported engine, cycle by cycle, in C++."""

from .adapter import DOMAIN, NativeAdapter
from .library import build_harness

__all__ = ["DOMAIN", "NativeAdapter", "build_harness"]
