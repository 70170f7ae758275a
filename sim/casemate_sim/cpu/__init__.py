"""A RISC-V core of somebody else with its memory behind the engine: programs run from it."""
