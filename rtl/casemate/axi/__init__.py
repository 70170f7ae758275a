"""AXI4 and AXI4-Lite: signatures, burst arithmetic, protocol rules."""

from .signature import Burst, Response, Signature

__all__ = ["Burst", "Response", "Signature"]
