"""The line engine between the host's AXI4 and the DRAM's AXI4."""
