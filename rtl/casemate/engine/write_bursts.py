"""Host write bursts whose response is outstanding."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..axi.signature import Response
from ..config import EngineConfig
from ..streams import Picker, Register
from .bundles import BurstOpening, Collected, EntryResult
from .free import lowest_free
from .id_order import IdOrder

__all__ = ["WriteBursts", "write_response_layout"]


def write_response_layout(config: EngineConfig) -> data.StructLayout:
    """One transfer of the host's write response channel."""
    return data.StructLayout({"id": config.id_bits, "response": 2})


class WriteBursts(wiring.Component):
    """Gathers the results of a burst's chunks and answers it, in order for each ID.

    A burst is answered when its last chunk was collected and every chunk is stored in DRAM (or has
    failed): an error of any chunk reaches the writer. The first error that comes is the answer.

    Members
    -------
    open: In(BurstOpening(config))
        A burst begins.
    collected: In(Collected(config))
        A chunk was collected. A refused one has its result, SLVERR, with it.
    result: In(EntryResult(write_bursts))
        Any other chunk is stored in DRAM, or has failed.
    o: Out(stream.Signature(write_response_layout(config)))
        Responses to the host.
    idle: Out(1)
        No burst is outstanding.
    """

    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "open": In(BurstOpening(config)), "collected": In(Collected(config)),
            "result": In(EntryResult(config.write_bursts)),
            "o": Out(stream.Signature(write_response_layout(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n = config.write_bursts
        used = Signal(n)
        collected = Signal(n)
        responses = [Signal(2, name=f"response_{i}", reset_less=True) for i in range(n)]
        missing = [Signal(range(config.write_entries + 1), name=f"missing_{i}") for i in range(n)]

        free, index = lowest_free(m, used)
        m.d.comb += [self.open.ready.eq(free), self.open.number.eq(index)]
        take = Signal()
        m.d.comb += take.eq(self.open.valid & free)

        m.submodules.order = order = IdOrder(n, config.id_bits)
        m.submodules.choice = choice = Picker(n)
        m.submodules.output = output = Register(write_response_layout(config))
        m.submodules.ids = ids = Memory(shape=config.id_bits, depth=n, init=[])
        ids_write, ids_read = ids.write_port(), ids.read_port(domain="comb")
        answer = Signal()
        chosen = choice.o.payload
        m.d.comb += [
            choice.requests.eq(used & collected & ~order.waiting
                               & Cat(count == 0 for count in missing)),
            ids_write.addr.eq(index), ids_write.data.eq(self.open.id), ids_write.en.eq(take),
            ids_read.addr.eq(chosen),
            order.add.eq(take), order.add_index.eq(index), order.add_id.eq(self.open.id),
            order.remove.eq(answer), order.remove_index.eq(chosen),
            output.i.valid.eq(choice.o.valid),
            output.i.payload.id.eq(ids_read.data),
            choice.o.ready.eq(output.i.ready),
            answer.eq(choice.o.valid & choice.o.ready),
            self.idle.eq(~used.any() & ~self.o.valid),
        ]
        wiring.connect(m, output.o, wiring.flipped(self.o))
        for i in range(n):
            chunk = self.collected.valid & (self.collected.burst == i)
            refused = self.collected.chunk.refused
            result = self.result.valid & (self.result.index == i)
            with m.If(chosen == i):
                m.d.comb += output.i.payload.response.eq(responses[i])
            with m.If(take & (index == i)):
                m.d.sync += [
                    used[i].eq(1), collected[i].eq(0), missing[i].eq(0),
                    responses[i].eq(Response.OKAY.value),
                ]
            with m.Else():
                with m.If(answer & (chosen == i)):
                    m.d.sync += used[i].eq(0)
                with m.If(chunk & self.collected.chunk.last):
                    m.d.sync += collected[i].eq(1)
                m.d.sync += missing[i].eq(missing[i] + (chunk & ~refused) - result)
                with m.If(responses[i] == Response.OKAY.value):
                    with m.If(result):
                        # A DRAM that answers EXOKAY was not asked for an exclusive access.
                        m.d.sync += responses[i].eq(
                            Mux(self.result.response == Response.EXOKAY.value,
                                Response.OKAY.value, self.result.response))
                    with m.If(chunk & refused):
                        m.d.sync += responses[i].eq(Response.SLVERR.value)
        return m
