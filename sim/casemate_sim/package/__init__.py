"""An engine as a folder that other design flows take: FuseSoC, Vivado, or any that reads Verilog.

``contents`` puts the folder's files together, ``folder`` writes them; the other modules make one
file each.
"""
