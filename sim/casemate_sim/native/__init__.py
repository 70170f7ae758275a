"""The simulation as a native library: Verilated model, C++ harness, DRAM content, read checker."""
