"""Control and status registers: their description, and the hardware made from it."""
