"""Accesses to registers of 32 bits, and the way of one to the engine."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi.signature import Response
from casemate.csr.registers import ADDRESS_BITS as ENGINE_ADDRESS_BITS

from casemate_sim.native.register_port import REGISTER_BITS, RegisterPort

__all__ = ["ADDRESS_BITS", "AccessSignature", "EngineAccess", "Split"]

ADDRESS_BITS = 20
"""Width of the byte addresses of engine and board together; the engine has the lowest 4 KiB."""


class AccessSignature(wiring.Signature):
    """One access at a time, from the asking side's point of view.

    Members
    -------
    valid: Out(1)
        There is an access; it stays, with all that belongs to it, up to the cycle with `done`.
    write: Out(1), address: Out(20), value: Out(32)
        Whether it writes, where, and what.
    done: In(1)
        A pulse: the access has happened.
    result: In(32), error: In(1)
        In the cycle with `done`: what was read, and whether there is nothing at the address.
    """

    def __init__(self):
        super().__init__({
            "valid": Out(1), "write": Out(1), "address": Out(ADDRESS_BITS),
            "value": Out(REGISTER_BITS), "done": In(1), "result": In(REGISTER_BITS),
            "error": In(1)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessSignature)


class EngineAccess(wiring.Component):
    """Makes accesses on the engine's AXI4-Lite port.

    Members
    -------
    i: In(AccessSignature())
    port: Out(RegisterPort's bus)
        To the engine.
    """

    i: wiring.PureInterface

    def __init__(self):
        self._port = RegisterPort(ENGINE_ADDRESS_BITS)
        super().__init__({"i": In(AccessSignature()),
                          "port": Out(self._port.bus.signature)})

    def elaborate(self, platform: object) -> Module:
        """Build what starts an access once, and waits for its answer."""
        m = Module()
        m.submodules.port = port = self._port
        wiring.connect(m, port.bus, wiring.flipped(self.port))
        started = Signal()
        m.d.comb += [
            port.valid.eq(self.i.valid & ~started), port.write.eq(self.i.write),
            port.address.eq(self.i.address), port.value.eq(self.i.value),
            self.i.done.eq(started & port.ready), self.i.result.eq(port.result),
            self.i.error.eq(port.response != Response.OKAY.value),
        ]
        m.d.sync += started.eq(self.i.valid & ~self.i.done)
        return m


class Split(wiring.Component):
    """Sends accesses to the engine or to the board, by their address.

    Members
    -------
    i: In(AccessSignature())
    engine, board: Out(AccessSignature())
    """

    i: wiring.PureInterface
    engine: wiring.PureInterface
    board: wiring.PureInterface

    def __init__(self):
        super().__init__({"i": In(AccessSignature()), "engine": Out(AccessSignature()),
                          "board": Out(AccessSignature())})

    def elaborate(self, platform: object) -> Module:
        """Choose a side."""
        m = Module()
        for side in (self.engine, self.board):
            m.d.comb += [side.write.eq(self.i.write), side.address.eq(self.i.address),
                         side.value.eq(self.i.value)]

        def use(side: wiring.PureInterface) -> None:
            m.d.comb += [side.valid.eq(self.i.valid), self.i.done.eq(side.done),
                         self.i.result.eq(side.result), self.i.error.eq(side.error)]

        with m.If(self.i.address >> ENGINE_ADDRESS_BITS == 0):
            use(self.engine)
        with m.Else():
            use(self.board)
        return m
