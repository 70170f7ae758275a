"""The simulation as a native library: Verilated model, C++ harness, DRAM content, read checker."""

PATIENCE = 32
"""Inactive cycles after which the engine sleeps, see `sleep.SleepingEngine`: more than the 28 of
its longest cipher. With 12, runs of `ecp5` and `tiny` were the same, too."""
