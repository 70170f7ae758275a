"""A line has one write open at a time, sealed once, under the next version: for all time.

With two other proofs: no version of a line is used twice. ``test_contents``: an answer has the
version that was stored last where it looks. ``test_metadata_control``: where it looks is the newest
leaf that there is.
"""

from amaranth import Module, ResetSignal, Signal
from amaranth.hdl import Assert, Assume, Cover, Elaboratable
from amaranth.lib.wiring import connect
from casemate.config import LeafShape
from casemate.engine.authenticated_writes import AuthenticatedWrites
from casemate.engine.write_table import WriteTable
from casemate.metadata.interface import Outcome
from casemate_sim.formal import assert_formal
from metadata_control import SMALLEST, anything

CONFIG = SMALLEST.replace(leaf=LeafShape(version_bits=2, tag_bits=4))
"""Two writes in flight; versions of two bits, which wrap."""

LINE, SLOT = 0x2A5, 1
"""The line and the slot of the domain that are watched."""


class WritesSpec(Elaboratable):
    """Table of writes and their authentication, between neighbours that keep the rules.

    Slots are locked for ever: what becomes of a write of a locked slot is counted as nothing, for
    no data of it leaves (``MemoryPort.locked``).
    """

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = WriteTable(CONFIG)
        m.submodules.writes = writes = AuthenticatedWrites(CONFIG)
        connect(m, table.authentication, writes.table)
        self.table, self.writes = table, writes
        m.d.comb += Assume(~ResetSignal())
        n = CONFIG.write_entries
        collected = table.collected
        anything(
            m,
            table.take, table.chunk, collected.valid, collected.entry, collected.chunk,
            collected.strobe, table.tweaked, table.fill.ready, table.filled.valid,
            table.filled.index, table.filled.response, table.send.ready, table.stored.valid,
            table.stored.index, table.stored.response, table.pending, table.received,
            *table.read_lines, table.lock, writes.access.ready, writes.answer.valid,
            writes.answer.payload, writes.verdict.valid, writes.verdict.id,
            writes.verdict.passed, writes.verdict.response, writes.seal.ready,
            writes.sealable, writes.tag.valid, writes.tag.payload)
        m.d.comb += [
            writes.take.eq(table.take), writes.take_index.eq(table.free_index),
            writes.chunk.eq(table.chunk), writes.lock.eq(table.lock),
            writes.filled.valid.eq(table.filled.valid),
            writes.filled.index.eq(table.filled.index),
        ]
        locks = Signal(CONFIG.domain_slots)
        m.d.sync += locks.eq(table.lock)
        m.d.comb += [
            Assume(~table.take | (table.free & ~table.chunk.refused)),
            Assume((table.lock & locks) == locks),
            *(Assume(index < n) for index in (
                collected.entry, table.filled.index, table.stored.index,
                writes.answer.payload.id[:-1], writes.verdict.id[:-1],
                writes.tag.payload.entry)),
        ]
        # The version of the watched line, and whether its slot has sealed under the next one.
        self.version, self.sealed = Signal(CONFIG.leaf.version_bits), Signal()
        entries = [self._entry(m, number) for number in range(n)]
        opened = sum(entry["line"] & (entry["waiting"] | entry["open"]) for entry in entries)
        m.d.comb += Assert(opened <= 1)
        return m

    def _entry(self, m, number):
        """Follow one entry, assume what its neighbours keep to, and state what it keeps to."""
        table, writes = self.table, self.writes
        answer, close, seal = writes.answer.payload, writes.close, writes.seal
        names = ("used", "collected", "line", "slot", "encrypt", "authenticate", "waiting", "open",
                 "valid", "partial", "filling", "filled", "judged", "passed", "sealing", "sent",
                 "tagged", "stored")
        now = {name: Signal(name=f"{name}_{number}") for name in names}
        line, slot = (Signal(CONFIG.line_bits, name=f"place_{number}"),
                      Signal(range(CONFIG.domain_slots), name=f"key_{number}"))

        def here(valid, index):
            return valid & (index == number)

        write = len(answer.id) - 1
        taken = here(table.take, table.free_index)
        arrives = here(table.collected.valid & ~table.collected.chunk.refused,
                       table.collected.entry)
        asks = here(writes.access.valid & writes.access.ready, writes.access.payload.id[:write])
        answered = here(writes.answer.valid & answer.id[-1], answer.id[:write])
        fills = here(table.fill.valid & table.fill.ready, table.fill.payload.id[:write])
        filled = here(table.filled.valid, table.filled.index)
        judged = here(writes.verdict.valid & writes.verdict.id[-1], writes.verdict.id[:write])
        seals = here(seal.valid & seal.ready, seal.payload.id[:write])
        sends = here(table.send.valid & table.send.ready, table.send.payload)
        tagged = here(writes.tag.valid, writes.tag.payload.entry)
        closes = here(close.valid, close.payload.entry)
        stored = here(table.stored.valid, table.stored.index)
        chunk, granted = table.collected.chunk, answer.outcome == Outcome.GRANTED
        locked = table.lock.bit_select(slot, 1)
        m.d.comb += [
            Assume(~arrives | (now["used"] & ~now["collected"] & (chunk.line == line) & (
                chunk.slot == slot) & (chunk.encrypt == now["encrypt"]))),
            Assume(~answered | (now["waiting"] & ~answer.hint & ~answer.hinted)),
            Assume(~(answered & granted & now["line"]) | (answer.version == self.version)),
            Assume(~filled | (now["filling"] & ~now["filled"])),
            Assume(~judged | (now["filling"] & ~now["judged"] & now["authenticate"])),
            Assume(~tagged | (now["sent"] & now["sealing"] & ~now["tagged"])),
            Assume(~stored | (now["sent"] & ~now["stored"])),
        ]
        sets = {
            "collected": arrives, "waiting": asks, "open": answered & granted,
            "valid": answered & answer.line_valid, "filling": fills, "filled": filled,
            "judged": judged,
            "passed": judged & writes.verdict.passed, "sealing": seals, "sent": sends,
            "tagged": tagged, "stored": stored,
            "partial": arrives & ~table.collected.strobe.all(),
        }
        for name, event in sets.items():
            with m.If(event):
                m.d.sync += now[name].eq(1)
        with m.If(answered):
            m.d.sync += now["waiting"].eq(0)
        with m.If(closes):
            m.d.sync += now["open"].eq(0)
        with m.If(table.written[number]):
            m.d.sync += now["used"].eq(0)
        with m.If(taken):
            m.d.sync += [
                *(signal.eq(0) for name, signal in now.items() if name in sets),
                now["used"].eq(1), line.eq(table.chunk.line), slot.eq(table.chunk.slot),
                now["line"].eq(table.chunk.line == LINE), now["slot"].eq(table.chunk.slot == SLOT),
                now["encrypt"].eq(table.chunk.encrypt),
                now["authenticate"].eq(table.chunk.authenticate),
            ]
        next_version = (self.version + 1)[:len(self.version)]
        watched = now["line"] & now["slot"]
        with m.If(closes & now["line"] & close.payload.store):
            m.d.sync += [self.version.eq(close.payload.version), self.sealed.eq(0)]
        with m.If(seals & watched):
            m.d.sync += self.sealed.eq(1)
        m.d.comb += [
            Assert(~asks | (now["authenticate"] & ~now["waiting"] & ~now["open"])),
            # Sealed once, while it is open, under the next version; over what was verified.
            Assert(~seals | (now["open"] & ~now["sealing"] & (seal.payload.slot == slot) & (
                seal.payload.line == line))),
            Assert(~seals | ~now["partial"] | ~now["valid"] | now["passed"]),
            Assert(~(seals & watched) | locked | (
                ~self.sealed & (seal.payload.version == next_version))),
            # Nothing goes to DRAM under a version that was not prepared.
            Assert(~(sends & now["authenticate"]) | now["sealing"]),
            # Closed once; with the version under which it was sealed, if it was.
            Assert(~closes | now["open"]),
            Assert(~(closes & close.payload.store) | (now["sealing"] & (
                close.payload.place == line[:len(close.payload.place)]))),
            Assert(~(closes & close.payload.store & now["line"]) | (
                close.payload.version == next_version)),
            Assert(~(closes & now["sealing"] & ~close.payload.store) | locked),
            Assert(~table.written[number] | ~now["open"] | closes),
        ]
        return now


class WritesReached(WritesSpec):
    """The watched line is written."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += Cover(self.version == 1)
        return m


def test_a_write_is_sealed_once_under_the_next_version():
    assert_formal(WritesSpec(), mode="prove", name="writes")


def test_writes_happen_within_the_proof():
    assert_formal(WritesReached(), mode="cover", depth=15, name="writes-reached")
