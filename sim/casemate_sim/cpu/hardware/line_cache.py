"""The last cache in front of the engine: write-back, in lines of 64 bytes."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, enum, memory, wiring
from amaranth.lib.wiring import In, Out
from casemate.axi.signature import Burst
from casemate.config import LINE_BYTES, EngineConfig

from casemate_sim.cpu.hardware.wishbone import WORD_BITS, Wishbone
from casemate_sim.native.memory_system import host_signature

__all__ = ["LineCache"]

_LINE_BITS = 8 * LINE_BYTES
_WORD_NUMBER_BITS = (LINE_BYTES * 8 // WORD_BITS - 1).bit_length()
_NUMBER_BITS = 30 - _WORD_NUMBER_BITS


class _State(enum.Enum):
    READY = 0
    COMPARE = 1
    FETCH = 2
    INSTALL = 3


class LineCache(wiring.Component):
    """Direct-mapped write-back cache between a core's bus and AXI4; every burst is a whole line.

    The line that was used last lies in a register: its words are answered in the cycle that asks. A
    hit elsewhere takes 3 cycles; a miss fetches, and writes back what was there at the same time,
    one line of each. Of a line that could not be fetched all words are answered with `err`, until
    another line is asked for.

    Parameters
    ----------
    config:
        The engine's configuration.
    size:
        Bytes, a power of two of at least two lines.
    domain:
        Domain ID of the traffic.

    Members
    -------
    bus : In(Wishbone())
        From the core.
    axi : Out(host_signature(config))
        To the engine.
    write_failed : Out(1)
        High for a cycle: a write, or a write-back of what was written before, was refused. Nobody
        waits for the answer of the latter, and cores do not look at that of the former.
    """

    bus: wiring.PureInterface
    axi: wiring.PureInterface
    write_failed: Signal

    def __init__(self, config: EngineConfig, *, size: int, domain: int):
        if size < 2 * LINE_BYTES or size & (size - 1):
            raise ValueError(f"size must be a power of two of at least {2 * LINE_BYTES} bytes, "
                             f"not {size}")
        self._config = config
        self._lines = size // LINE_BYTES
        self._domain = domain
        super().__init__({"bus": In(Wishbone()), "axi": Out(host_signature(config)),
                          "write_failed": Out(1)})

    def elaborate(self, platform) -> Module:
        """Build register, store and the two AXI4 sides."""
        m = Module()
        bus = self.bus
        index_bits = (self._lines - 1).bit_length()
        entry = data.StructLayout({
            "valid": 1, "dirty": 1, "tag": _NUMBER_BITS - index_bits, "line": _LINE_BITS})
        m.submodules.store = store = memory.Memory(shape=entry, depth=self._lines, init=[])
        write = store.write_port()
        read = store.read_port(transparent_for=(write,))

        number, line = Signal(_NUMBER_BITS), Signal(_LINE_BITS)
        present, changed, failed = Signal(), Signal(), Signal()
        state = Signal(_State)
        word = bus.adr[:_WORD_NUMBER_BITS]
        wanted = bus.adr[_WORD_NUMBER_BITS:]
        request, here = Signal(), Signal()
        fetched, fetch_error, idle = self._elaborate_axi(m, state, number, line, read.data)
        m.d.comb += [
            request.eq(bus.cyc & bus.stb & (state == _State.READY)),
            here.eq(present & (number == wanted)),
            bus.ack.eq(request & here & ~failed), bus.err.eq(request & here & failed),
            bus.dat_r.eq(line.word_select(word, WORD_BITS)),
            read.addr.eq(wanted[:index_bits]), read.en.eq(request & ~here),
            write.addr.eq(number[:index_bits]), write.data.tag.eq(number[index_bits:]),
            write.data.line.eq(line), write.data.valid.eq(present & ~failed),
            write.data.dirty.eq(changed),
        ]
        with m.Switch(state):
            with m.Case(_State.READY):
                with m.If(request & here & bus.we & ~failed):
                    m.d.sync += changed.eq(1)
                    for place in range(_LINE_BITS // 8):
                        hit = (word == place // 4) & bus.sel[place % 4]
                        with m.If(hit):
                            m.d.sync += line[8 * place:8 * place + 8].eq(
                                bus.dat_w[place % 4 * 8:place % 4 * 8 + 8])
                with m.If(request & ~here):
                    # What was changed goes home while the other line is looked for.
                    m.d.comb += write.en.eq(present & changed)
                    m.d.sync += [number.eq(wanted), present.eq(0), failed.eq(0), changed.eq(0),
                                 state.eq(_State.COMPARE)]
            with m.Case(_State.COMPARE):
                with m.If(read.data.valid & (read.data.tag == number[index_bits:])):
                    m.d.sync += [line.eq(read.data.line), present.eq(1),
                                 changed.eq(read.data.dirty), state.eq(_State.READY)]
                with m.Elif(idle):
                    m.d.sync += state.eq(_State.FETCH)
            with m.Case(_State.FETCH):
                with m.If(fetched):
                    m.d.sync += [present.eq(1), failed.eq(fetch_error),
                                 state.eq(_State.INSTALL)]
            with m.Case(_State.INSTALL):
                m.d.comb += write.en.eq(1)
                m.d.sync += state.eq(_State.READY)
        axi = self.axi
        m.d.comb += self.write_failed.eq(
            (bus.err & bus.we) | (axi.bvalid & axi.bready & axi.bresp[1]))
        return m

    def _elaborate_axi(self, m: Module, state: Signal, number: Signal, line: Signal,
                       old: data.View) -> tuple[Signal, Signal, Signal]:
        """Fetch and write back when `state` leaves COMPARE; return fetched, its error, and idle."""
        axi, bits = self.axi, self._config.data_bits
        index_bits = (self._lines - 1).bit_length()
        beats = self._config.beats_per_line
        fetched, error, idle = Signal(), Signal(), Signal()
        broken, writing = Signal(), Signal()
        victim, left = Signal(_LINE_BITS), Signal(range(beats + 1))
        for channel in ("aw", "ar"):
            m.d.comb += [
                getattr(axi, f"{channel}len").eq(beats - 1),
                getattr(axi, f"{channel}size").eq((bits // 8 - 1).bit_length()),
                getattr(axi, f"{channel}burst").eq(Burst.INCR.value),
                getattr(axi, f"{channel}user").eq(self._domain),
            ]
        m.d.comb += [
            axi.rready.eq(1), axi.bready.eq(1), axi.wstrb.eq(~0), axi.wdata.eq(victim[:bits]),
            axi.wvalid.eq(left != 0), axi.wlast.eq(left == 1),
            axi.araddr.eq(Cat(Const(0, 6), number)), idle.eq(~writing),
            fetched.eq(axi.rvalid & axi.rlast), error.eq(broken | axi.rresp[1]),
        ]
        for channel in ("aw", "ar"):
            with m.If(getattr(axi, f"{channel}ready")):
                m.d.sync += getattr(axi, f"{channel}valid").eq(0)
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [left.eq(left - 1), victim.eq(victim >> bits)]
        with m.If(axi.bvalid):
            m.d.sync += writing.eq(0)
        with m.If(axi.rvalid):
            m.d.sync += [line.eq(Cat(line, axi.rdata)[bits:]), broken.eq(broken | axi.rresp[1])]
        hit = old.valid & (old.tag == number[index_bits:])
        with m.If((state == _State.COMPARE) & ~hit & ~writing):
            m.d.sync += [axi.arvalid.eq(1), broken.eq(0)]
            with m.If(old.valid & old.dirty):
                m.d.sync += [
                    axi.awvalid.eq(1), left.eq(beats), victim.eq(old.line), writing.eq(1),
                    axi.awaddr.eq(Cat(Const(0, 6), number[:index_bits], old.tag)),
                ]
        return fetched, error, idle
