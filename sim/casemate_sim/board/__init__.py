"""The engine on an FPGA board: memory, fuses, entropy, trace player, and a serial line to it."""
