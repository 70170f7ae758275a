"""Looks up what each operation names, and decides what becomes of it."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .contents import Job, job_layout
from .directory import Directory
from .entry import peer_count
from .interface import Outcome
from .layouts import Operation, index_bits, operation_layout
from .pins import Pins
from .reclaimer import leaf_request_layout
from .table import NodeTable

__all__ = ["Steps"]


class Steps(wiring.Component):
    """One operation per cycle: looked up in the cycle in which it comes, its job is done next.

    Parameters
    ----------
    directory, table, pins:
        What it looks up and changes.

    Members
    -------
    i: In(stream.Signature(operation_layout(config), always_ready=True))
    locked: In(1)
        Accesses are refused.
    job: Out(stream.Signature(job_layout(config), always_ready=True))
    park: Out(1), park_id: Out(entry_id_bits), park_on: Out(range(peers + 1))
        An access must wait; ``park_on`` is also that of an entry.
    ask: Out(1)
        With ``park``: a hint is looked for meanwhile.
    swept: Out(1), again: Out(1)
        End of the sweeper's operation.
    reclaimed, reclaim_refused, reclaim_park, reclaim_again: Out(1), seat: Out
        What became of a leaf to be reclaimed; see ``Reclaimer``.
    hit, evicted: Out(1)
        For the statistics: an access found its leaf in the cache when it came; a leaf or node is
        written back.
    """

    i: stream.Interface
    job: stream.Interface

    def __init__(self, config: EngineConfig, *, directory: Directory, table: NodeTable,
                 pins: Pins):
        self._config = config
        self._directory, self._table, self._pins = directory, table, pins
        peers = peer_count(config)
        super().__init__({
            "i": In(stream.Signature(operation_layout(config), always_ready=True)),
            "locked": In(1), "job": Out(stream.Signature(job_layout(config), always_ready=True)),
            "park": Out(1), "park_id": Out(config.entry_id_bits), "park_on": Out(range(peers + 1)),
            "ask": Out(1), "swept": Out(1), "again": Out(1),
            "reclaimed": Out(1), "reclaim_refused": Out(1), "reclaim_park": Out(1),
            "reclaim_again": Out(1), "seat": Out(leaf_request_layout(config)["seat"].shape),
            "hit": Out(1), "evicted": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The leaf whose open writes hold up its reclaiming: no further ones are opened.
        self._closing, self._closing_index = Signal(), Signal(index_bits(self._config))
        directory, table, pins = self._directory, self._table, self._pins
        operation, job = self.i.payload, self.job.payload
        ways = len(directory.pinned)
        m.d.comb += [
            directory.set.eq(operation.set), directory.level.eq(operation.level),
            directory.index.eq(operation.index), directory.look_way.eq(operation.way),
            directory.pinned.eq(pins.pinned), pins.look_set.eq(operation.set),
            pins.pin_set.eq(operation.set), pins.pin_way.eq(directory.way),
            pins.pin_entry.eq(operation.source),
            table.look_level.eq(operation.level), table.look_index.eq(operation.index),
            table.pool_level.eq(operation.level), table.allocate_index.eq(operation.index),
            table.park_entry.eq(operation.source), table.poison_entry.eq(operation.source),
            table.poison_response.eq(table.found_state.response),
            table.free_entry.eq(operation.source), table.stay_entry.eq(operation.source),
            table.park_on.eq(self.park_on),
            self.seat.eq(operation.source), self.park_id.eq(operation.source),
            self.park_on.eq(table.found_peer),
            job.source.eq(operation.source), job.place.eq(operation.place),
            job.write.eq(operation.write), job.domain.eq(operation.domain),
            job.claim.eq(operation.claim), job.line.eq(operation.set * ways + directory.way),
            job.slot.eq(table.found_entry),
            # The entry hears of a counter raised in it one cycle late.
            job.zero.eq(table.found_state.zero
                        & ~(table.raised & (table.raised_entry == table.found_entry))),
            job.root.eq(operation.index), job.parent.eq(table.found_peer),
            job.response.eq(table.found_state.response), job.hinted.eq(operation.hinted),
        ]
        with m.If(self.i.valid):
            with m.Switch(operation.operation):
                with m.Case(Operation.ACCESS):
                    self._decide_access(m)
                with m.Case(Operation.CLOSE):
                    m.d.comb += [self.job.valid.eq(1), job.job.eq(Job.CLOSE),
                                 job.line.eq(operation.set * ways + operation.way)]
                with m.Case(Operation.GET):
                    self._decide_get(m)
                with m.Case(Operation.RAISE):
                    self._decide_raise(m)
                with m.Case(Operation.LEAVE):
                    self._decide_leave(m)
                with m.Case(Operation.SWEEP):
                    self._decide_sweep(m)
                with m.Case(Operation.RECLAIM):
                    self._decide_reclaim(m)
        return m

    def _miss(self, m: Module, park: Signal, *, write_back: bool) -> None:
        """Take an entry to fetch what was looked up, or wait for a free one."""
        table = self._table
        m.d.comb += [park.eq(1), table.pool_write_back.eq(write_back)]
        with m.If(table.pool_free):
            m.d.comb += [table.allocate.eq(1), table.allocate_fetch.eq(1),
                         self.park_on.eq(table.pool_peer)]
        with m.Else():
            m.d.comb += self.park_on.eq(peer_count(self._config))

    def _touch(self, m: Module, *, dirty: Value | int) -> None:
        """Mark the way that was hit as used, and perhaps as changed."""
        directory = self._directory
        m.d.comb += [
            directory.touch.eq(1), directory.change.eq(dirty),
            directory.change_way.eq(directory.way), directory.change_state.valid.eq(1),
            directory.change_state.dirty.eq(1), directory.change_state.level.eq(
                self.i.payload.level),
            directory.change_state.index.eq(self.i.payload.index),
        ]

    def _decide_access(self, m: Module) -> None:
        directory, table = self._directory, self._table
        operation, job, found = self.i.payload, self.job.payload, table.found_state
        with m.If(self.locked):
            m.d.comb += [self.job.valid.eq(1), job.job.eq(Job.REFUSE),
                         job.outcome.eq(Outcome.FAILED)]
        with m.Elif(operation.hinted):
            # Whatever is there now: the leaf that the hint came from has failed.
            m.d.comb += [
                self.job.valid.eq(1), job.job.eq(Job.REFUSE),
                job.outcome.eq(Mux(table.found & found.failed & found.response[1],
                                   Outcome.BUS_ERROR, Outcome.FAILED))]
        with m.Elif(operation.write & self._closing & (operation.index == self._closing_index)):
            m.d.comb += [self.job.valid.eq(1), job.job.eq(Job.REFUSE),
                         job.outcome.eq(Outcome.DENIED)]
        with m.Elif(directory.hit):
            self._touch(m, dirty=operation.write)
            m.d.comb += [self.job.valid.eq(1), job.job.eq(Job.ANSWER), self.hit.eq(operation.first),
                         self._pins.pin.eq(operation.write)]
        with m.Elif(table.found & found.failed):
            m.d.comb += [
                self.job.valid.eq(1), job.job.eq(Job.REFUSE),
                job.outcome.eq(Mux(found.response[1], Outcome.BUS_ERROR, Outcome.FAILED))]
        with m.Elif(table.found & found.trusted & ~operation.write):
            m.d.comb += [self.job.valid.eq(1), job.job.eq(Job.ANSWER), job.in_slot.eq(1)]
        with m.Elif(table.found):
            m.d.comb += self.park.eq(1)
            with m.If(found.here & ~operation.write & ~operation.asked):
                m.d.comb += [self.ask.eq(1), self.job.valid.eq(1), job.job.eq(Job.ANSWER),
                             job.in_slot.eq(1), job.hint.eq(1)]
        with m.Else():
            self._miss(m, self.park, write_back=False)

    def _decide_get(self, m: Module) -> None:
        directory, table, job = self._directory, self._table, self.job.payload
        found = table.found_state
        m.d.comb += job.job.eq(Job.GET)
        with m.If(self.i.payload.level == self._config.levels):
            m.d.comb += [self.job.valid.eq(1), job.in_root.eq(1), job.trusted.eq(1)]
        with m.Elif(directory.hit):
            self._touch(m, dirty=0)
            m.d.comb += [self.job.valid.eq(1), job.trusted.eq(1)]
        with m.Elif(table.found & found.failed):
            m.d.comb += table.poison.eq(1)
        with m.Elif(table.found & found.readable):
            m.d.comb += [self.job.valid.eq(1), job.in_slot.eq(1), job.trusted.eq(found.trusted)]
        with m.Elif(table.found):
            m.d.comb += table.park.eq(1)
        with m.Else():
            self._miss(m, table.park, write_back=False)

    def _decide_raise(self, m: Module) -> None:
        directory, table, job = self._directory, self._table, self.job.payload
        found = table.found_state
        m.d.comb += [job.job.eq(Job.RAISE), job.trusted.eq(1)]
        with m.If(self.i.payload.level == self._config.levels):
            m.d.comb += [self.job.valid.eq(1), job.in_root.eq(1)]
        with m.Elif(directory.hit):
            self._touch(m, dirty=1)
            m.d.comb += self.job.valid.eq(1)
        with m.Elif(table.found & found.failed):
            m.d.comb += table.poison.eq(1)
        with m.Elif(table.found & found.open):
            m.d.comb += [self.job.valid.eq(1), job.in_slot.eq(1)]
        with m.Elif(table.found):
            m.d.comb += table.park.eq(1)
        with m.Else():
            self._miss(m, table.park, write_back=True)

    def _evict(self, m: Module, way: Value, state: Value) -> None:
        """Take a changed leaf or node out of the cache, into a write-back."""
        directory, table, job = self._directory, self._table, self.job.payload
        m.d.comb += [
            table.allocate.eq(1), table.allocate_fetch.eq(0), table.allocate_index.eq(state.index),
            self.job.valid.eq(1), job.job.eq(Job.EVICT), job.slot.eq(table.pool_entry),
            job.line.eq(self.i.payload.set * len(directory.pinned) + way),
            directory.change.eq(1), directory.change_way.eq(way),
            directory.change_state.eq(0), self.evicted.eq(1),
        ]

    def _decide_leave(self, m: Module) -> None:
        """Into the cache; a changed victim leaves first, and the walk comes again.

        A node need not stay, for whoever waited has its counter: it does as long as nobody is held
        up by that. A leaf must, so that writes find it.
        """
        directory, table, job = self._directory, self._table, self.job.payload
        operation, found, victim = self.i.payload, table.found_state, directory.victim_state
        m.d.comb += [table.pool_level.eq(victim.level), table.pool_write_back.eq(1)]
        with m.If(found.failed | self.locked):
            m.d.comb += table.free.eq(1)
        with m.Elif(directory.room & ~(victim.valid & victim.dirty)):
            m.d.comb += [
                self.job.valid.eq(1), job.job.eq(Job.FILL), job.in_slot.eq(1), table.free.eq(1),
                job.line.eq(operation.set * len(directory.pinned) + directory.victim),
                directory.change.eq(1), directory.change_way.eq(directory.victim),
                directory.change_state.valid.eq(1), directory.change_state.level.eq(
                    operation.level), directory.change_state.index.eq(operation.index),
            ]
        with m.Elif(directory.room & table.pool_free):
            self._evict(m, directory.victim, victim)
            m.d.comb += table.stay.eq(1)
        with m.Else():
            drop = Signal()
            m.d.comb += [drop.eq((operation.level != 0) & found.pressed),
                         table.free.eq(drop), table.stay.eq(~drop)]

    def _decide_sweep(self, m: Module) -> None:
        directory, table = self._directory, self._table
        operation, state = self.i.payload, directory.look_state
        pinned = directory.pinned.bit_select(operation.way, 1)
        m.d.comb += [self.swept.eq(1), table.pool_write_back.eq(1)]
        with m.If(state.valid & (state.level == operation.level) & (state.dirty | operation.drop)):
            with m.If(pinned):
                m.d.comb += self.again.eq(1)
            with m.Elif(~state.dirty):
                m.d.comb += [directory.change.eq(1), directory.change_way.eq(operation.way)]
            with m.Elif(table.pool_free):
                self._evict(m, operation.way, state)
            with m.Else():
                m.d.comb += self.again.eq(1)

    def _decide_reclaim(self, m: Module) -> None:
        """As for a write; a leaf with an open write must come again: its line would be valid."""
        directory, table = self._directory, self._table
        mine = self.i.payload.index == self._closing_index
        with m.If(self.locked | ((self.reclaimed | self.reclaim_refused) & mine)):
            m.d.sync += self._closing.eq(0)
        with m.If(self.locked):
            m.d.comb += self.reclaim_refused.eq(1)
        with m.Elif(directory.hit & directory.pinned.bit_select(directory.way, 1)):
            m.d.comb += self.reclaim_again.eq(1)
            with m.If(~self._closing):
                m.d.sync += [self._closing.eq(1), self._closing_index.eq(self.i.payload.index)]
        with m.Elif(directory.hit):
            self._touch(m, dirty=1)
            m.d.comb += [self.job.valid.eq(1), self.job.payload.job.eq(Job.RECLAIM),
                         self.reclaimed.eq(1)]
        with m.Elif(table.found & table.found_state.failed):
            m.d.comb += self.reclaim_refused.eq(1)
        with m.Elif(table.found):
            m.d.comb += self.reclaim_park.eq(1)
        with m.Else():
            self._miss(m, self.reclaim_park, write_back=False)
