"""All that authenticated lines need beside the data path: accesses, checks, seals, reports."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig
from ..metadata.interface import (
    Outcome,
    access_layout,
    answer_layout,
    close_layout,
    node_gmac_port,
)
from ..modes.gmac import Gmac, connect_gmac
from .access_queue import AccessQueue
from .authenticated_writes import AuthenticatedWrites
from .bundles import EntryResult, Verdict, WriteAuthentication
from .layouts import chunk_layout, cipher_row_layout, line_layout
from .preparation import Preparation
from .reports import ReportKind, Reports, report_layout
from .sealer import Sealer
from .shared_gmac import SharedGmac
from .verifier import Verifier
from .versioned_tweaks import versioned_tweak_layout
from .write_sender import write_row_layout

__all__ = ["Authentication"]


class Authentication(wiring.Component):
    """Between the tables, the data path and the metadata.

    Every read of an authenticated domain, granted or not, goes through the verifier: its rows come
    from DRAM anyway, because they are asked for together with the metadata. A version that was not
    granted is taken as 0; nothing is released under it.

    Members
    -------
    take_read, take_write: In(1), read_index, write_index, read_chunk, write_chunk: In
        An entry is taken for a chunk.
    read_access: In(stream.Signature(access_layout(config)))
        Accesses of reads.
    answered: Out(read_entries)
        A pulse when a read's access is answered.
    table: In(WriteAuthentication(config))
        The table of writes.
    access, answer, confirm, close:
        As in ``MetadataSignature``.
    row: In(stream.Signature(cipher_row_layout(config)))
        Rows of authenticated lines, as they come from DRAM.
    filled: In(EntryResult(write_entries))
        The rows of a fetched line are all in the write buffer.
    verdict: Out(Verdict(config))
    sent: In(stream.Signature(write_row_layout(config), always_ready=True))
        Rows of all lines, as they go to DRAM.
    check_tweak, seal_tweak: Out(stream.Signature(versioned_tweak_layout(config)))
        Tweaks that are wanted for decryption and for encryption.
    sealable: In(write_entries), blank: Out(write_entries)
        See ``AuthenticatedWrites``.
    tag_key: In(RoundKeyWrite(domain_slots)), loading: Out(1)
        Round keys of K3; a hash key is being computed.
    gmac: In(node_gmac_port(config)), gmac_loaded: Out(1), node_key: In(RoundKeyWrite(1))
        With a shared GMAC: the port of leaves and nodes, K4 is there, and its round keys.
    crowded: Out(1)
        With a shared GMAC: see ``SharedGmac``.
    cipher: Out(CipherPort)
        With a shared cipher: the core that makes the pads.
    lock: In(domain_slots)
    report: Out(stream.Signature(report_layout(config))), reports_lost: Out(1)
        See ``Reports``. Nothing is said of lines of locked slots.
    """

    read_access: stream.Interface
    access: stream.Interface
    answer: stream.Interface
    close: stream.Interface
    row: stream.Interface
    sent: stream.Interface
    check_tweak: stream.Interface
    seal_tweak: stream.Interface
    report: stream.Interface
    gmac: wiring.PureInterface
    node_key: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        self._shared = SharedGmac(config) if config.tree.shared_gmac else None
        accesses = stream.Signature(access_layout(config))
        tweaks = stream.Signature(versioned_tweak_layout(config))
        reads, writes = range(config.read_entries), range(config.write_entries)
        super().__init__({
            "take_read": In(1), "read_index": In(reads), "read_chunk": In(chunk_layout(config)),
            "take_write": In(1), "write_index": In(writes),
            "write_chunk": In(chunk_layout(config)),
            "read_access": In(accesses), "answered": Out(config.read_entries),
            "table": In(WriteAuthentication(config)),
            "access": Out(accesses),
            "answer": In(stream.Signature(answer_layout(config), always_ready=True)),
            "confirm": In(config.read_entries),
            "close": Out(stream.Signature(close_layout(config), always_ready=True)),
            "row": In(stream.Signature(cipher_row_layout(config))),
            "filled": In(EntryResult(config.write_entries)), "verdict": Out(Verdict(config)),
            "sent": In(stream.Signature(write_row_layout(config), always_ready=True)),
            "check_tweak": Out(tweaks), "seal_tweak": Out(tweaks),
            "sealable": In(config.write_entries), "blank": Out(config.write_entries),
            "tag_key": In(RoundKeyWrite(config.domain_slots)), "loading": Out(1),
            "lock": In(config.domain_slots),
            "report": Out(stream.Signature(report_layout(config))), "reports_lost": Out(1),
            **({"gmac": In(node_gmac_port(config)), "gmac_loaded": Out(1),
                "node_key": In(RoundKeyWrite(1)), "crowded": Out(1)}
               if config.tree.shared_gmac else {}),
            **({} if self._shared is None or not config.tree.shared_cipher else {
                "cipher": Out(self._shared.cipher.signature)}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.accesses = accesses = AccessQueue(config)
        m.submodules.writes = writes = AuthenticatedWrites(config)
        m.submodules.verifier = verifier = Verifier(config)
        m.submodules.sealer = sealer = Sealer(config)
        m.submodules.checks = checks = Preparation(
            config, entries=2**config.entry_id_bits,
            depth=config.read_entries + config.write_entries)
        m.submodules.seals = seals = Preparation(config, entries=config.write_entries, depth=0)
        m.submodules.reports = reports = Reports(config)

        connect(m, flipped(self.read_access), accesses.read)
        connect(m, writes.access, accesses.write)
        connect(m, accesses.o, flipped(self.access))
        connect(m, writes.seal, seals.i)
        connect(m, writes.close, flipped(self.close))
        connect(m, flipped(self.table), writes.table)
        connect(m, flipped(self.filled), writes.filled)
        connect(m, flipped(self.row), verifier.row)
        connect(m, checks.tweak, flipped(self.check_tweak))
        connect(m, checks.pad, verifier.pad)
        connect(m, seals.tweak, flipped(self.seal_tweak))
        connect(m, seals.pad, sealer.pad)
        connect(m, sealer.o, writes.tag)
        connect(m, reports.o, flipped(self.report))
        m.d.comb += [
            writes.take.eq(self.take_write), writes.take_index.eq(self.write_index),
            writes.chunk.eq(self.write_chunk), writes.sealable.eq(self.sealable),
            writes.lock.eq(self.lock), self.blank.eq(writes.blank),
            self.reports_lost.eq(reports.lost),
        ]
        for name in ("valid", "payload"):
            for sink in (writes, verifier):
                m.d.comb += getattr(sink.answer, name).eq(getattr(self.answer, name))
        for name in ("valid", "id", "passed", "response", "tampered", "dropped"):
            for sink in (writes.verdict, self.verdict):
                m.d.comb += getattr(sink, name).eq(getattr(verifier.verdict, name))

        answered, judged, slot = self._elaborate_lines(m, sealer.row.payload.entry)
        m.d.comb += [
            sealer.row.valid.eq(self.sent.valid & self.table.authenticate.bit_select(
                self.sent.payload.entry, 1)),
            *(sealer.row.payload[name].eq(self.sent.payload[name])
              for name in ("data", "row", "entry")),
            sealer.row.payload.key.eq(slot),
        ]

        # What an answer starts.
        answer, check = self.answer.payload, checks.i.payload
        write, valid = answer.id[-1], Signal()
        m.d.comb += [
            valid.eq((answer.outcome == Outcome.GRANTED) & answer.line_valid),
            verifier.encrypt.eq(answered.encrypt),
            verifier.confirm.eq(self.confirm),
            self.answered.eq(self.confirm | Mux(
                self.answer.valid & ~write & ~answer.hint, 1 << answer.id, 0)),
            checks.i.valid.eq(self.answer.valid & Mux(
                write, valid & self.table.partial.bit_select(answer.id[:-1], 1),
                ~answer.hinted)),
            check.id.eq(answer.id), check.line.eq(answered.line), check.slot.eq(answered.slot),
            check.version.eq(Mux(valid, answer.version, 0)),
            check.tweak.eq(valid & answered.encrypt),
        ]
        verdict = verifier.verdict
        exhausted = answer.outcome == Outcome.EXHAUSTED
        m.d.comb += [
            reports.access.valid.eq(self.answer.valid & (
                exhausted | (answer.outcome == Outcome.DENIED))),
            reports.access.payload.kind.eq(
                Mux(exhausted, ReportKind.EXHAUSTED, ReportKind.ACCESS)),
            reports.access.payload.write.eq(write),
            reports.line.valid.eq(verdict.valid & verdict.tampered
                                  & ~self.lock.bit_select(judged.slot, 1)),
            reports.line.payload.kind.eq(ReportKind.LINE),
            reports.line.payload.write.eq(verdict.id[-1]),
        ]
        for report, line in ((reports.access.payload, answered), (reports.line.payload, judged)):
            m.d.comb += [report[name].eq(line[name]) for name in ("slot", "domain", "line")]

        self._elaborate_gmacs(m, verifier, sealer)
        return m

    def _elaborate_gmacs(self, m: Module, verifier: Verifier, sealer: Sealer) -> None:
        """Add what makes tags: a unit for each direction, or one for all."""
        config, tree, tag_key = self._config, self._tree, self.tag_key
        written = Mux(tag_key.valid, 1 << tag_key.key, 0)
        if self._shared is not None:
            m.submodules.gmac = shared = self._shared
            if tree.shared_cipher:
                connect(m, shared.cipher, flipped(self.cipher))
            connect(m, verifier.gmac, shared.check)
            connect(m, sealer.gmac, shared.seal)
            connect(m, flipped(self.gmac), shared.node)
            connect(m, flipped(tag_key), shared.tag_key)
            connect(m, flipped(self.node_key), shared.node_key)
            m.d.comb += [self.crowded.eq(shared.crowded),
                         self.gmac_loaded.eq(shared.node_loaded)]
            loaded = Cat(shared.loaded, shared.node_loaded)
            written |= Mux(self.node_key.valid, 1 << config.domain_slots, 0)
        else:
            loaded = Const(-1, config.domain_slots)
            for name, user, entries, tag in (
                    ("check_gmac", verifier, 2**config.entry_id_bits, 2),
                    ("seal_gmac", sealer, config.write_entries, 0)):
                m.submodules[name] = gmac = Gmac(
                    tree.pad_cipher, aes_bits=config.aes_bits, lanes=config.lanes,
                    keys=config.domain_slots, entries=entries, stages=tree.multiplier_stages,
                    tag=tag, erasable=config.keys is not None)
                connect_gmac(m, user.gmac, gmac)
                # K3 goes to both directions.
                for part in ("valid", "key", "round", "value"):
                    m.d.comb += getattr(gmac.round_key, part).eq(getattr(tag_key, part))
                loaded &= gmac.loaded
        loading = Signal(len(loaded))
        m.d.comb += self.loading.eq(loading.any())
        m.d.sync += loading.eq((loading & ~loaded) | written)

    def _elaborate_lines(self, m: Module, sent: Signal) -> tuple:
        """Keep what must be known of each entry.

        Returns the lines of the answer and of the verdict in hand, and the slot of the row that is
        `sent`.
        """
        config = self._config
        answered, judged = Signal(line_layout(config)), Signal(line_layout(config))
        memories = {}
        for name, depth, take, index, chunk in (
                ("read", config.read_entries, self.take_read, self.read_index, self.read_chunk),
                ("write", config.write_entries, self.take_write, self.write_index,
                 self.write_chunk)):
            memory = Memory(shape=line_layout(config), depth=depth, init=[])
            m.submodules[f"{name}_lines"] = memories[name] = memory
            port = memory.write_port()
            m.d.comb += [port.en.eq(take), port.addr.eq(index)]
            m.d.comb += [port.data[field].eq(chunk[field])
                         for field in ("line", "slot", "encrypt", "domain")]
        for line, id_ in ((answered, self.answer.payload.id), (judged, self.verdict.id)):
            ports = {name: memory.read_port(domain="comb") for name, memory in memories.items()}
            for port in ports.values():
                m.d.comb += port.addr.eq(id_[:-1])
            m.d.comb += line.eq(Mux(id_[-1], ports["write"].data, ports["read"].data))
        port = memories["write"].read_port(domain="comb")
        m.d.comb += port.addr.eq(sent)
        return answered, judged, port.data.slot
