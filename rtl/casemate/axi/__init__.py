"""AXI4 and AXI4-Lite: signatures, burst arithmetic, protocol rules."""
