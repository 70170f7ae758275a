"""The registers behind the AXI4-Lite port, wired to what they show and control."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, fifo, stream, wiring
from amaranth.lib.enum import EnumView
from amaranth.lib.wiring import In, Out, connect, flipped

from ..alert.layouts import LogKind, Policy, log_layout
from ..axi.lite import LITE_DATA_BITS, LiteSignature, LiteSubordinate
from ..config import EngineConfig
from ..fuse.anchor import state_layout
from ..fuse.registers import Result, configuration_layout, identity_layout
from ..fuse.registers import command_layout as fuse_command_layout
from ..key_manager.layouts import KeyCommand, KeyState, command_layout, outcome_layout
from ..metadata.layouts import index_bits
from ..metadata.reclaimer import reclaim_layout
from .commands import choose_command, end_of
from .file import RegisterFile
from .fuses import connect_fuses
from .registers import ADDRESS_BITS, INTERRUPTS, LOG_DEPTH, STATISTICS, block
from .statistics import COUNTER_BITS, Statistics

__all__ = ["Csr", "Sweep", "event_layout"]


class Sweep(enum.Enum, shape=1):
    """What is done with the whole metadata cache."""

    FLUSH = 0
    """Changed leaves and nodes are written back."""
    INVALIDATE = 1
    """The same, and the cache is empty afterwards."""


def event_layout() -> data.StructLayout:
    """Layout of what is counted: a bit for each of ``STATISTICS``, high for a cycle."""
    return data.StructLayout({name: 1 for name, _ in STATISTICS})


class Csr(wiring.Component):
    """Control and status registers; see ``registers.py`` for their map.

    Members
    -------
    axil: In(LiteSignature(12))
    idle, ready, engine_locked, alert_integrity, alert_fatal: In(1), locked_slots: In(domain_slots)
        State for software to read.
    policy: Out(Policy)
        Never a value without a name.
    sweep: Out(stream.Signature(Sweep))
    sweeping: In(1)
        From the cycle after a transfer on ``sweep`` until the sweep is done.
    reclaim: Out(stream.Signature(reclaim_layout(config)))
        Ranges to be taken back from their owners.
    reclaiming: In(1), reclaim_failed: In(1)
        From the cycle after a transfer on ``reclaim`` until the range is done; then, whether a
        granule of it could not be taken back.
    log: In(stream.Signature(log_layout(config), always_ready=True)), log_lost: In(1)
        Entries of the error log; a full log keeps what it has.
    integrity_error, access_error, bus_error, fatal_error: In(1)
        Pulses that become interrupts.
    events: In(event_layout())
    domain_command: Out(stream.Signature(command_layout())), domain_outcome: In(outcome_layout())
        With a key manager: commands, and what became of the last one.
    key_state: In(KeyState), boot_cycles: In(32)
        With a key manager.
    fuse_command: Out(stream.Signature(command_layout())), fuse_result: In(stream.Signature(Result))
        With fuses: commands to ``TrustAnchor``, one at a time, and their results.
    fuse_state: In(state_layout()), fuse_identity: In(identity_layout()),
    fuse_configuration: In(configuration_layout()), debug: In(1)
        With fuses: what they say, and the level of ``debug_enable``.
    irq: Out(1)
        Level: an enabled interrupt has happened.
    """

    sweep: stream.Interface
    reclaim: stream.Interface
    log: stream.Interface
    domain_command: stream.Interface
    fuse_command: stream.Interface
    fuse_result: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        self._fuses = config.keys is not None and config.keys.fuses is not None
        super().__init__({
            "axil": In(LiteSignature(ADDRESS_BITS)),
            "idle": In(1), "ready": In(1), "engine_locked": In(1), "alert_integrity": In(1),
            "alert_fatal": In(1), "locked_slots": In(config.domain_slots),
            "policy": Out(Policy), "sweep": Out(stream.Signature(Sweep)), "sweeping": In(1),
            "reclaim": Out(stream.Signature(reclaim_layout(config))), "reclaiming": In(1),
            "reclaim_failed": In(1),
            "log": In(stream.Signature(log_layout(config), always_ready=True)), "log_lost": In(1),
            "integrity_error": In(1), "access_error": In(1), "bus_error": In(1),
            "fatal_error": In(1), "events": In(event_layout()), "irq": Out(1),
            **({} if config.keys is None else {
                "domain_command": Out(stream.Signature(command_layout())),
                "domain_outcome": In(outcome_layout()),
                "key_state": In(KeyState), "boot_cycles": In(LITE_DATA_BITS)}),
            **({} if not self._fuses else {
                "fuse_command": Out(stream.Signature(fuse_command_layout())),
                "fuse_result": In(stream.Signature(Result)), "fuse_state": In(state_layout()),
                "fuse_identity": In(identity_layout()), "debug": In(1),
                "fuse_configuration": In(configuration_layout())}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lite = lite = LiteSubordinate(ADDRESS_BITS)
        m.submodules.file = file = RegisterFile(block(self._config))
        connect(m, flipped(self.axil), lite.i)
        connect(m, lite.o, file.bus)
        registers = file.registers
        status = registers.status
        locked = Signal(2 * LITE_DATA_BITS)
        m.d.comb += [
            status.idle.eq(self.idle), status.ready.eq(self.ready),
            status.engine_locked.eq(self.engine_locked),
            status.slot_locked.eq(self.locked_slots.any()),
            status.alert_integrity.eq(self.alert_integrity),
            status.alert_fatal.eq(self.alert_fatal),
            locked.eq(self.locked_slots),
            registers.locked_slots_low.slots.eq(locked[:LITE_DATA_BITS]),
            registers.locked_slots_high.slots.eq(locked[LITE_DATA_BITS:]),
        ]
        self._name_policy(m, registers.policy.failure, self.policy)
        sweep_done = self._sweep(m, registers)
        reclaim_done = self._reclaim(m, registers)
        log_overflow = self._log(m, registers)
        self._statistics(m, file)
        if self._config.keys is not None:
            self._domains(m, registers)
        if self._fuses:
            connect_fuses(m, registers, self)

        sources = {
            "integrity_error": self.integrity_error, "access_error": self.access_error,
            "bus_error": self.bus_error, "fatal_error": self.fatal_error,
            "sweep_done": sweep_done, "log_overflow": log_overflow,
            "reclaim_done": reclaim_done,
        }
        state, enable = registers.interrupt_state, registers.interrupt_enable
        for name, _ in INTERRUPTS:
            m.d.comb += getattr(state, f"{name}_set").eq(sources[name])
        m.d.sync += self.irq.eq(Cat(
            getattr(state, name) & getattr(enable, name) for name, _ in INTERRUPTS).any())
        return m

    @staticmethod
    def _name_policy(m: Module, field: Value, policy: EnumView) -> None:
        """Show a field that software wrote as a policy; a value without a name is the strictest."""
        m.d.comb += policy.eq(Policy.LOCK_ENGINE)
        for each in Policy:
            with m.If(field == each.value):
                m.d.comb += policy.eq(each)

    def _sweep(self, m: Module, registers: object) -> Signal:
        """Send commands to the metadata cache; return the pulse at the end of one."""
        command = registers.command
        busy = Signal()
        invalidating = self.sweep.payload == Sweep.INVALIDATE
        m.d.comb += [
            busy.eq(self.sweep.valid | self.sweeping),
            registers.status.sweeping.eq(busy),
            command.flush_busy.eq(busy), command.invalidate_busy.eq(busy & invalidating),
        ]
        with m.If(self.sweep.ready):
            m.d.sync += self.sweep.valid.eq(0)
        with m.If(~busy & (command.flush_start | command.invalidate_start)):
            m.d.sync += [
                self.sweep.valid.eq(1),
                self.sweep.payload.eq(
                    Mux(command.invalidate_start, Sweep.INVALIDATE, Sweep.FLUSH))]
        return end_of(m, busy)

    def _reclaim(self, m: Module, registers: object) -> Signal:
        """Send ranges to the keeper of the metadata; return the pulse at the end of one."""
        command, sent = registers.reclaim, self.reclaim
        bits = index_bits(self._config)
        first, count = Signal(2 * LITE_DATA_BITS), Signal(2 * LITE_DATA_BITS)
        busy = Signal()
        m.d.comb += [
            first.eq(Cat(registers.reclaim_first_low.first, registers.reclaim_first_high.first)),
            count.eq(Cat(registers.reclaim_count_low.count, registers.reclaim_count_high.count)),
            busy.eq(sent.valid | self.reclaiming), command.start_busy.eq(busy),
            command.failed.eq(self.reclaim_failed),
        ]
        with m.If(sent.ready):
            m.d.sync += sent.valid.eq(0)
        with m.If(~busy & command.start_start):
            m.d.sync += [sent.valid.eq(1), sent.payload.first.eq(first),
                         sent.payload.count.eq(count)]
            # Numbers that are too large for the unit are cut, not wrapped.
            with m.If(count >> bits != 0):
                m.d.sync += sent.payload.count.eq(1 << bits)
            with m.If(first >> bits != 0):
                m.d.sync += sent.payload.count.eq(0)
        return end_of(m, busy)

    def _domains(self, m: Module, registers: object) -> None:
        """Send commands to the key manager; show what it says."""
        command, sent, outcome = (
            registers.domain_command, self.domain_command, self.domain_outcome)
        current, start = choose_command(m, command, KeyCommand, sent.valid)
        policy = Signal(Policy)
        self._name_policy(m, registers.domain.policy, policy)
        with m.If(sent.ready):
            m.d.sync += sent.valid.eq(0)
        with m.If(start):
            m.d.sync += [
                sent.valid.eq(1), sent.payload.policy.eq(policy),
                *(sent.payload[name].eq(getattr(registers.domain, name))
                  for name in ("domain", "encrypt", "authenticate"))]
        m.d.comb += [
            sent.payload.command.eq(current),
            registers.key_state.state.eq(self.key_state),
            registers.boot_cycles.cycles.eq(self.boot_cycles),
            registers.domain_outcome.result.eq(outcome.result),
            registers.domain_outcome.resident.eq(outcome.resident),
            *(getattr(registers.domain_outcome, name).eq(outcome.entry[name])
              for name in ("created", "encrypt", "authenticate", "policy")),
            registers.domain_generation.generation.eq(outcome.entry.generation),
        ]

    def _log(self, m: Module, registers: object) -> Signal:
        """Queue the error log; return the pulse that an entry was lost."""
        layout = log_layout(self._config)
        m.submodules.log = queue = fifo.SyncFIFOBuffered(width=layout.size, depth=LOG_DEPTH)
        entry = registers.error_entry
        head = Signal(layout)
        address = Signal(2 * LITE_DATA_BITS)
        lost = Signal()
        m.d.comb += [
            queue.w_data.eq(self.log.payload.as_value()), queue.w_en.eq(self.log.valid),
            lost.eq(self.log_lost | (self.log.valid & ~queue.w_rdy)),
            queue.r_en.eq(entry.taken),
            registers.error_count.count.eq(queue.level), registers.error_count.lost_set.eq(lost),
            registers.error_address_low.address.eq(address[:LITE_DATA_BITS]),
            registers.error_address_high.address.eq(address[LITE_DATA_BITS:]),
        ]
        with m.If(queue.r_rdy):
            m.d.comb += head.eq(queue.r_data)
        with m.Else():
            m.d.comb += head.kind.eq(LogKind.NONE)
        m.d.comb += [
            getattr(entry, name).eq(head[name])
            for name in ("kind", "write", "level", "slot", "domain")]
        with m.If(entry.taken):
            m.d.sync += address.eq(head.address)
        return lost

    def _statistics(self, m: Module, file: RegisterFile) -> None:
        m.submodules.statistics = statistics = Statistics(len(STATISTICS))
        command = file.registers.statistics
        word = file.bus.address
        m.d.comb += [
            statistics.events.eq(self.events.as_value()),
            statistics.snapshot.eq(command.snapshot_start),
            statistics.clear.eq(command.clear_start),
            command.snapshot_busy.eq(statistics.busy), command.clear_busy.eq(statistics.busy),
            statistics.index.eq(word[1:]),
            file.window.eq(statistics.count.word_select(word[0], COUNTER_BITS // 2)),
            file.window_wait.eq(statistics.busy),
        ]
