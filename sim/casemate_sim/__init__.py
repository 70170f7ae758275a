"""Simulation of Casemate: golden model, DRAM timing model, trace player, harnesses, command line."""
