"""The board's own side of the address map: registers, and windows into its parts."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.config import DOMAIN_BITS
from casemate.csr.file import RegisterFile

from casemate_sim.board.access import AccessSignature
from casemate_sim.board.config import BoardConfig
from casemate_sim.board.line_port import WORDS_PER_LINE
from casemate_sim.board.memory import ProbeSignature, memory_bytes
from casemate_sim.board.registers import (
    HISTOGRAM_BASE,
    LINE_BASE,
    MEMORY_BASE,
    RECORD_BYTES,
    TRACE_BASE,
    TRACE_RECORDS,
    block,
)
from casemate_sim.native.register_port import REGISTER_BITS
from casemate_sim.player.layouts import LATENCY_BITS, RECORD, SETTINGS
from casemate_sim.player.player import COUNTERS, HISTOGRAMS

__all__ = ["Control"]

_RESET_CYCLES = 16
_WORD_BYTES = REGISTER_BITS // 8


class Control(wiring.Component):
    """Carries out accesses to the board itself; keeps the trace and feeds it to the player.

    Members
    -------
    access: In(AccessSignature())
        Accesses above the engine's registers.
    state: In(5)
        Fields of the register ``state``.
    reset: Out(1)
        Reset of engine, buses and memory port; high for 16 cycles.
    tamper: Out(1)
        Somebody opens the case, says software.
    line: Out(32), domain: Out(12), claim: Out(1), read: Out(1), write: Out(1), busy: In(1),
    response: In(2), word: Out(4), value: Out(32), put: Out(1), content: In(32)
        To ``LinePort``.
    settings: Out(SETTINGS), player_claim: Out(1)
        To the player, and bit 12 of its AWUSER.
    player_reset: Out(1), run: Out(1), done: In(1)
        A pulse before each run; the player runs; it is done.
    end: Out(1), record: Out(stream.Signature(RECORD))
        The trace.
    counters: In(COUNTERS), histogram: Out(2), bin: Out(10), count: In(32)
        From the player.
    probe: Out(ProbeSignature())
        To the memory.
    """

    access: wiring.PureInterface
    record: stream.Interface
    probe: wiring.PureInterface

    def __init__(self, config: BoardConfig):
        self._config = config
        super().__init__({
            "access": In(AccessSignature()), "state": In(5), "reset": Out(1), "tamper": Out(1),
            "line": Out(32), "domain": Out(DOMAIN_BITS), "claim": Out(1), "read": Out(1),
            "write": Out(1), "busy": In(1), "response": In(2),
            "word": Out(range(WORDS_PER_LINE)), "value": Out(REGISTER_BITS), "put": Out(1),
            "content": In(REGISTER_BITS), "settings": Out(SETTINGS), "player_claim": Out(1),
            "player_reset": Out(1), "run": Out(1), "done": In(1), "end": Out(1),
            "record": Out(stream.Signature(RECORD)), "counters": In(COUNTERS),
            "histogram": Out(2), "bin": Out(LATENCY_BITS), "count": In(REGISTER_BITS),
            "probe": Out(ProbeSignature()),
        })

    def elaborate(self, platform: object) -> Module:
        """Decode the address."""
        m = Module()
        access = self.access
        m.submodules.file = file = RegisterFile(block(self._config))
        registers: Any = file.registers
        playing = Signal()
        m.d.comb += playing.eq(self.run & ~self.done)
        put_record, address = Signal(), access.address
        window = Signal(len(address))
        second = Signal()  # the cycle after the one in which something was looked up
        m.d.sync += second.eq(access.valid & ~access.done)
        m.d.comb += [
            file.bus.address.eq(address >> 2), file.bus.write_data.eq(access.value),
            file.bus.write_mask.eq(~0), self.word.eq(address >> 2), self.value.eq(access.value),
            self.bin.eq(window >> 2), self.histogram.eq(window >> 2 + LATENCY_BITS),
            self.probe.write.eq(access.write), self.probe.value.eq(access.value),
            self.probe.address.eq(window),
        ]

        def inside(base: int, size: int):
            return (address >= base) & (address < base + size)

        with m.If(access.valid):
            with m.If(inside(LINE_BASE, WORDS_PER_LINE * _WORD_BYTES)):
                m.d.comb += [access.done.eq(1), access.error.eq(self.busy),
                             access.result.eq(self.content),
                             self.put.eq(access.write & ~self.busy)]
            with m.Elif(inside(TRACE_BASE, TRACE_RECORDS * RECORD_BYTES)):
                m.d.comb += [access.done.eq(1), access.error.eq(~access.write | playing),
                             put_record.eq(access.write & ~playing),
                             window.eq(address - TRACE_BASE)]
            with m.Elif(inside(HISTOGRAM_BASE, len(HISTOGRAMS) * _WORD_BYTES << LATENCY_BITS)):
                m.d.comb += [access.done.eq(second), access.error.eq(access.write | playing),
                             access.result.eq(self.count), window.eq(address - HISTOGRAM_BASE)]
            with m.Elif(inside(MEMORY_BASE, memory_bytes(self._config.engine))):
                m.d.comb += [access.done.eq(self.probe.done), self.probe.valid.eq(1),
                             access.result.eq(self.probe.result), window.eq(address - MEMORY_BASE)]
            with m.Else():
                m.d.comb += [access.done.eq(1), access.error.eq(~file.bus.known),
                             access.result.eq(file.bus.read_data),
                             file.bus.write.eq(access.write & file.bus.known),
                             file.bus.read.eq(~access.write & file.bus.known)]

        self._elaborate_registers(m, registers, playing)
        self._elaborate_trace(m, registers, put_record, window)
        return m

    def _elaborate_registers(self, m: Module, registers: Any, playing: Signal) -> None:
        """Connect what registers show and start."""
        state, line, owner = registers.state, registers.line, registers.line_owner
        resetting = Signal(range(_RESET_CYCLES + 1))
        cycles = Signal(REGISTER_BITS)
        m.d.sync += cycles.eq(cycles + 1)
        with m.If(registers.control.reset_start):
            m.d.sync += resetting.eq(_RESET_CYCLES)
        with m.Elif(resetting != 0):
            m.d.sync += resetting.eq(resetting - 1)
        m.d.comb += [
            Cat(state.booting, state.protected, state.tampered, state.debug_enable,
                state.irq).eq(self.state),
            registers.cycles.count.eq(cycles),
            registers.control.reset_busy.eq(self.reset), self.reset.eq(resetting != 0),
            self.tamper.eq(registers.control.tamper),
            self.line.eq(line.number), self.domain.eq(owner.domain), self.claim.eq(owner.claim),
            registers.line_response.response.eq(self.response),
        ]
        for kind in ("read", "write"):
            m.d.comb += getattr(registers.line_command, f"{kind}_busy").eq(
                self.busy | playing | self.reset)
        m.d.comb += [self.read.eq(registers.line_command.read_start),
                     self.write.eq(registers.line_command.write_start
                                   & ~registers.line_command.read_start)]
        start, limits = registers.player.start_start, registers.player_limits
        m.d.comb += [
            registers.player.start_busy.eq(playing | self.busy | self.reset),
            self.player_reset.eq(start),
            self.settings.base.eq(self._config.engine.data_base >> 6),
            self.settings.reads.eq(limits.reads), self.settings.writes.eq(limits.writes),
            self.settings.id_mask.eq(limits.id_mask),
            self.settings.rate.eq(registers.player_core.rate),
            self.settings.window.eq(registers.player_core.window),
            self.settings.domain.eq(registers.player_owner.domain),
            self.player_claim.eq(registers.player_owner.claim),
        ]
        # A run that is over does not go on when the trace becomes longer.
        with m.If(self.reset | self.done):
            m.d.sync += self.run.eq(0)
        with m.Elif(start):
            m.d.sync += self.run.eq(1)
        for name, field in COUNTERS:
            value = Signal(2 * REGISTER_BITS, name=f"{name}_counter")
            m.d.comb += [
                value.eq(self.counters[name]),
                getattr(registers, f"{name}_low").count.eq(value[:REGISTER_BITS]),
                getattr(registers, f"{name}_high").count.eq(value[REGISTER_BITS:field.width])]

    def _elaborate_trace(self, m: Module, registers: Any, put: Signal, window: Signal) -> None:
        """Keep the trace, and fetch one record ahead of the player."""
        words = RECORD_BYTES // _WORD_BYTES
        m.submodules.trace = trace = memory.Memory(
            shape=data.ArrayLayout(REGISTER_BITS, words), depth=TRACE_RECORDS, init=[])
        stored, fetched = trace.write_port(granularity=1), trace.read_port()
        place = Signal(range(TRACE_RECORDS + 1))
        left, fetching = Signal(), Signal()
        line, distance, flags = (fetched.data[number] for number in range(3))
        m.d.comb += [
            stored.addr.eq(window >> 4), stored.en.eq(put << window[2:4]),
            *(stored.data[number].eq(self.access.value) for number in range(words)),
            left.eq(place < registers.trace.records),
            fetching.eq(self.run & left & (~self.record.valid | self.record.ready)),
            fetched.addr.eq(place), fetched.en.eq(fetching),
            self.record.p.line.eq(line), self.record.p.distance.eq(distance),
            self.record.p.write.eq(flags[0]), self.record.p.dependent.eq(flags[1]),
            self.end.eq(~left & ~self.record.valid),
        ]
        with m.If(self.record.ready | ~self.record.valid):
            m.d.sync += self.record.valid.eq(fetching)
        with m.If(fetching):
            m.d.sync += place.eq(place + 1)
        with m.If(self.player_reset | self.reset):
            m.d.sync += [place.eq(0), self.record.valid.eq(0)]
