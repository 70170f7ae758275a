"""Small RAMs: how many words fill one in LUTs; rows in block RAM, unasked they would be in LUTs."""

from amaranth import Module, Signal, Value
from amaranth.lib.memory import Memory

__all__ = ["IN_BLOCK_RAM", "WORDS_IN_LUTS", "read_next"]

# A block RAM says nothing certain of a row that is read while it is written. Logic that makes it do
# so is as large as the RAM in LUTs would be.
IN_BLOCK_RAM = {"ram_style": "block", "no_rw_check": 1}
"""Attributes of a memory of rows that are not read, by ``read_next``, while they are written."""

WORDS_IN_LUTS = 16
"""Words of the smallest RAM in LUTs: fewer are as large."""


def read_next(m: Module, memory: Memory, address: Value, enable: Value) -> Signal:
    """Return a register with the row at `address` in the cycle before; it stays without `enable`.

    Synthesis takes it for that of the RAM.
    """
    port = memory.read_port(domain="comb")
    row = Signal.like(port.data, reset_less=True)
    m.d.comb += port.addr.eq(address)
    with m.If(enable):
        m.d.sync += row.eq(port.data)
    return row
