"""A cycle-accurate model of a DRAM controller, its PHY and the DRAM behind it, in Amaranth."""
