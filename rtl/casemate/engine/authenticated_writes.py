"""The further steps of writes whose line has a version and a tag."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..axi.signature import Response
from ..config import EngineConfig
from ..metadata.interface import Access, Outcome, access_layout, answer_layout, close_layout
from ..streams import Picker
from .bundles import EntryResult, Verdict, WriteAuthentication
from .layouts import chunk_layout, line_layout
from .preparation import version_layout
from .sealer import tag_layout

__all__ = ["AuthenticatedWrites"]


class AuthenticatedWrites(wiring.Component):
    """Opens, prepares and closes the writes of authenticated domains; one step of each per cycle.

    A write is opened when nothing older of its line is ahead. If it is granted and not every byte
    of the line is written, the line is fetched and verified under the version that it has; of a
    line that is not valid, the other bytes become zeros. Then the tweak and the pad of the next
    version are started, the line is sent, and when its tag is known the write is closed: from then
    on the leaf has the new version and tag, whatever DRAM answers to the data. So no version is
    used twice; a line whose data DRAM did not take reads as an error until it is written again.

    A write that is refused, or whose fetched line does not pass, stores nothing; if it was granted
    it is closed without a change. So is one whose slot is locked.

    Members
    -------
    table: In(WriteAuthentication(config))
    take: In(1), take_index: In(range(write_entries)), chunk: In(chunk_layout(config))
        An entry is taken for a chunk.
    access: Out(stream.Signature(access_layout(config)))
    answer: In(stream.Signature(answer_layout(config), always_ready=True))
        Answers; those to reads are ignored.
    filled: In(EntryResult(write_entries)), verdict: In(Verdict(config))
        The rows of a fetched line are all in the write buffer; the line is verified.
    seal: Out(stream.Signature(version_layout(config)))
        Lines to be prepared for the version under which they are written.
    sealable: In(write_entries)
        Entries whose tweak for encryption is known.
    tag: In(stream.Signature(tag_layout(config), always_ready=True))
        Tags of lines that were sent.
    close: Out(stream.Signature(close_layout(config), always_ready=True))
    blank: Out(write_entries)
        Entries whose bytes that are not written are zeros.
    lock: In(domain_slots)
    """

    access: stream.Interface
    answer: stream.Interface
    seal: stream.Interface
    tag: stream.Interface
    close: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        n = config.write_entries
        super().__init__({
            "table": In(WriteAuthentication(config)),
            "take": In(1), "take_index": In(range(n)), "chunk": In(chunk_layout(config)),
            "access": Out(stream.Signature(access_layout(config))),
            "answer": In(stream.Signature(answer_layout(config), always_ready=True)),
            "filled": In(EntryResult(n)), "verdict": In(Verdict(config)),
            "seal": Out(stream.Signature(version_layout(config))), "sealable": In(n),
            "tag": In(stream.Signature(tag_layout(config), always_ready=True)),
            "close": Out(stream.Signature(close_layout(config), always_ready=True)),
            "blank": Out(n), "lock": In(config.domain_slots),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, table = self._config, self.table
        n = config.write_entries
        m.submodules.lines = lines = Memory(shape=line_layout(config), depth=n, init=[])
        line_write = lines.write_port()
        to_open, to_seal, to_close = (lines.read_port(domain="comb") for _ in range(3))
        m.submodules.versions = versions = Memory(
            shape=config.leaf.version_bits, depth=n, init=[])
        version_write = versions.write_port()
        seal_version, close_version = (versions.read_port(domain="comb") for _ in range(2))
        m.d.comb += [
            line_write.en.eq(self.take), line_write.addr.eq(self.take_index),
            *(line_write.data[name].eq(self.chunk[name])
              for name in ("line", "slot", "encrypt", "domain", "claim")),
        ]

        # Which entry each event of this cycle belongs to, as a mask.
        answer = self.answer.payload
        answered, taken, filled, judged = (Signal(n) for _ in range(4))
        entry = Signal(range(n))
        m.d.comb += [
            entry.eq(answer.id),
            answered.eq(Mux(self.answer.valid & answer.id[-1], 1 << entry, 0)),
            taken.eq(Mux(self.take, 1 << self.take_index, 0)),
            filled.eq(Mux(self.filled.valid, 1 << self.filled.index, 0)),
            judged.eq(Mux(self.verdict.valid & self.verdict.id[-1],
                          1 << self.verdict.id[:len(entry)], 0)),
        ]

        # The state of each entry.
        asked, granted, valid, prepared = (Signal(n) for _ in range(4))
        rows_in, verified, passed = (Signal(n) for _ in range(3))
        encrypt, ready = Signal(n), Signal(n)
        m.d.comb += [
            self.blank.eq(granted & table.partial & ~valid),
            table.fillable.eq(granted & valid),
            table.void.eq(rows_in & verified & ~passed),
            ready.eq(table.clear & granted
                     & (~table.partial | ~valid | (rows_in & verified & passed))),
            table.sendable.eq(prepared & (self.sealable | ~encrypt)),
        ]

        m.submodules.open_choice = open_choice = Picker(n)
        m.submodules.seal_choice = seal_choice = Picker(n)
        access, seal = self.access.payload, self.seal.payload
        above = 1 << (config.entry_id_bits - 1)
        m.d.comb += [
            open_choice.requests.eq(table.clear & table.authenticate & ~asked),
            seal_choice.requests.eq(ready & ~prepared),
            to_open.addr.eq(open_choice.o.payload),
            self.access.valid.eq(open_choice.o.valid),
            open_choice.o.ready.eq(self.access.ready),
            access.id.eq(above | open_choice.o.payload), access.access.eq(Access.WRITE),
            access.line.eq(to_open.data.line), access.domain.eq(to_open.data.domain),
            access.claim.eq(to_open.data.claim),
            to_seal.addr.eq(seal_choice.o.payload), seal_version.addr.eq(seal_choice.o.payload),
            self.seal.valid.eq(seal_choice.o.valid), seal_choice.o.ready.eq(self.seal.ready),
            seal.id.eq(above | seal_choice.o.payload), seal.line.eq(to_seal.data.line),
            seal.slot.eq(to_seal.data.slot), seal.tweak.eq(to_seal.data.encrypt),
            seal.version.eq(seal_version.data),
        ]

        # The answer; the version is kept as the one that the write will use.
        grant = Signal()
        m.d.comb += [
            grant.eq(answer.outcome == Outcome.GRANTED),
            version_write.en.eq(answered.any()), version_write.addr.eq(entry),
            version_write.data.eq(answer.version + 1),
            table.denied.valid.eq(answered.any() & ~grant), table.denied.index.eq(entry),
            table.denied.response.eq(Mux(answer.outcome == Outcome.BUS_ERROR, answer.response,
                                         Response.SLVERR.value)),
            table.judged.valid.eq(judged.any()), table.judged.index.eq(self.verdict.id),
            table.judged.response.eq(self.verdict.response),
        ]

        # The end: tags go before writes that stored nothing.
        close, abandoned = self.close.payload, Signal()
        stored = self.tag.payload
        m.d.comb += [
            table.busy.eq(self.tag.valid),
            abandoned.eq(table.ending & (granted & ~table.closed).bit_select(
                table.ending_index, 1)),
            close.entry.eq(Mux(self.tag.valid, stored.entry, table.ending_index)),
            to_close.addr.eq(close.entry), close_version.addr.eq(close.entry),
            self.close.valid.eq(self.tag.valid | abandoned),
            close.store.eq(self.tag.valid & ~self.lock.bit_select(to_close.data.slot, 1)),
            close.place.eq(to_close.data.line[:exact_log2(config.leaf.lines)]),
            close.version.eq(close_version.data), close.tag.eq(stored.tag),
        ]

        def mask(source: stream.Interface, index: Value) -> Value:
            return Mux(source.valid & source.ready, 1 << index, 0)

        sets = (
            (asked, mask(self.access, open_choice.o.payload)),
            (granted, Mux(grant, answered, 0)),
            (valid, Mux(answer.line_valid, answered, 0)),
            (prepared, mask(self.seal, seal_choice.o.payload)),
            (rows_in, filled), (verified, judged),
            (passed, Mux(self.verdict.passed, judged, 0)),
            (table.closed, Mux(self.tag.valid, 1 << stored.entry, 0)),
            (encrypt, Mux(self.chunk.encrypt, taken, 0)),
        )
        for flags, event in sets:
            m.d.sync += flags.eq((flags & ~taken) | event)
        return m
