"""Small designs: a component with one inside it, one that delays, one that looks up a table."""

from amaranth import Array, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from casemate.aes import field


class Adder(wiring.Component):
    """Two additions of which the second is registered, and a memory."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "b": In(8), "sum": Out(8), "stored": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = Signal(8)
        total = Signal(8)
        m.submodules.store = store = memory.Memory(shape=8, depth=16, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        m.d.comb += [first.eq(self.a + self.b), self.sum.eq(total), write.en.eq(self.a[7]),
                     write.addr.eq(self.a), write.data.eq(self.b), read.addr.eq(self.b),
                     self.stored.eq(read.data)]
        m.d.sync += total.eq(total + first)
        return m


class Outer(wiring.Component):
    """Holds an adder, so that there is a hierarchy."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "b": In(8), "result": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.adder = adder = Adder()
        mixed = Signal(8)
        m.d.comb += [adder.a.eq(self.a), adder.b.eq(self.b), self.result.eq(mixed)]
        m.d.sync += mixed.eq(adder.sum ^ adder.stored)
        return m


class Delay(wiring.Component):
    """Its output is its input of the cycle before."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "late": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        delayed = Signal(8, reset_less=True)
        m.d.sync += delayed.eq(self.a)
        m.d.comb += self.late.eq(delayed)
        return m


class SubBytes(wiring.Component):
    """The S-box of AES as a table of 256 words."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "substituted": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.substituted.eq(Array(field.sbox())[self.a])
        return m
