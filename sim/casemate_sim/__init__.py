"""Simulation of Casemate: golden model, DRAM model, trace player, harnesses, command line."""
