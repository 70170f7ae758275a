"""The line engine: tables, buffers and ciphers between the host port and the memory port."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from ..aes.cipher import Direction
from ..aes.shared import SharedCipher
from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig
from ..domain.slots import LookupSignature
from ..domain.use import SlotUse
from ..metadata.interface import MetadataSignature
from ..modes.xts import XtsCipher
from .authentication import Authentication
from .bus_share import BusShare
from .host_port import HostPort, host_signature
from .memory_port import MemoryPort, memory_signature
from .read_return import ReadReturn
from .read_table import ReadTable
from .reports import report_layout
from .row_router import RowRouter
from .tweaks import Tweaks
from .versioned_tweaks import VersionedTweaks
from .write_buffer import WriteBuffer
from .write_bursts import WriteBursts
from .write_collector import WriteCollector
from .write_sender import WriteSender
from .write_table import WriteTable

__all__ = ["Core"]


class Core(wiring.Component):
    """Reads and writes lines, non-blocking, in the modes `plain`, `xts`, `integrity` and `full`.

    The last two need a tree.

    Latency that it adds to a read on an idle system, in cycles, counted on the first beat: `plain`
    2; `xts` 3 plus the latency of the data cipher; one more with ``register_requests``. Throughput:
    one beat per cycle in each direction.

    Members
    -------
    host: In(host_signature(config)), memory: Out(memory_signature(config))
    read_lookup, write_lookup: Out(LookupSignature(config))
        To ``DomainSlots``.
    data_key, tweak_key: In(RoundKeyWrite(domain_slots))
        Round keys of K1 and K2.
    tree: Out(MetadataSignature(config))
        With a tree: the keeper of leaves and tree.
    tag_key: In(RoundKeyWrite(domain_slots)), node_key: In(RoundKeyWrite(1))
        With a tree: round keys of K3; with a shared GMAC: those of K4.
    lock: In(domain_slots)
        With a tree: slots whose domains are refused. What is in flight for them is answered SLVERR
        with zeros, and stores nothing that has not left yet: their keys may be erased at once.
    report: Out(stream.Signature(report_layout(config))), reports_lost: Out(1)
        With a tree: see ``Reports``.
    idle: Out(1)
        Nothing is in flight, and no hash key is being computed.
    in_use: Out(domain_slots), loading: Out(1)
        With a key manager: slots whose keys are needed by what is in flight, see ``SlotUse``; a
        hash key is being computed.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "host": In(host_signature(config)), "memory": Out(memory_signature(config)),
            "read_lookup": Out(LookupSignature(config)),
            "write_lookup": Out(LookupSignature(config)),
            "data_key": In(RoundKeyWrite(config.domain_slots)),
            "tweak_key": In(RoundKeyWrite(config.domain_slots)),
            "idle": Out(1),
            **({} if config.tree is None else {
                "tree": Out(MetadataSignature(config)),
                "tag_key": In(RoundKeyWrite(config.domain_slots)),
                "lock": In(config.domain_slots),
                "report": Out(stream.Signature(report_layout(config))), "reports_lost": Out(1),
                **({"node_key": In(RoundKeyWrite(1))} if config.tree.shared_gmac else {}),
            }),
            **({} if config.keys is None else {
                "in_use": Out(config.domain_slots), "loading": Out(1)}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.host_port = host = HostPort(config)
        m.submodules.memory_port = memory = MemoryPort(config)
        m.submodules.read_table = read_table = ReadTable(config)
        m.submodules.read_return = read_return = ReadReturn(config)
        m.submodules.write_collector = collector = WriteCollector(config)
        m.submodules.write_buffer = write_buffer = WriteBuffer(config)
        m.submodules.write_table = write_table = WriteTable(config)
        m.submodules.write_bursts = bursts = WriteBursts(config)
        m.submodules.write_sender = sender = WriteSender(config)
        m.submodules.row_router = router = RowRouter(config)
        tree = config.tree is not None
        m.submodules.tweaks = tweaks = VersionedTweaks(config) if tree else Tweaks(config)
        m.submodules.decrypt = decrypt = XtsCipher(
            config.data_cipher, aes_bits=config.aes_bits, direction=Direction.DECRYPT,
            lanes=config.lanes, keys=config.domain_slots, entries=2**config.entry_id_bits, tag=2,
            erasable=config.keys is not None)
        m.submodules.encrypt = encrypt = XtsCipher(
            config.data_cipher, aes_bits=config.aes_bits, direction=Direction.ENCRYPT,
            lanes=config.lanes, keys=config.domain_slots, entries=config.write_entries, tag=0,
            erasable=config.keys is not None,
            own_cipher=config.tree is None or not config.tree.shared_cipher)

        connect(m, flipped(self.host), host.axi)
        if not tree:
            connect(m, memory.axi, flipped(self.memory))
        connect(m, host.read_lookup, flipped(self.read_lookup))
        connect(m, host.write_lookup, flipped(self.write_lookup))
        connect(m, flipped(self.tweak_key), tweaks.round_key)
        for cipher in (decrypt, encrypt):
            for name in ("valid", "key", "round", "value"):
                m.d.comb += getattr(cipher.round_key, name).eq(getattr(self.data_key, name))

        # An entry's ID towards DRAM: the write table's have the upper bit set.
        writes_from = 2 ** (config.entry_id_bits - 1)
        read_entry, write_entry = Signal(config.entry_id_bits), Signal(config.entry_id_bits)
        m.d.comb += [
            read_entry.eq(read_table.taken), write_entry.eq(writes_from | write_table.free_index)]

        # Reads.
        connect(m, host.read, read_table.i)
        connect(m, read_table.request, memory.read)
        connect(m, read_return.o, host.r)
        m.d.comb += [
            read_table.release.eq(read_return.release),
            read_return.take.eq(host.read.valid & host.read.ready),
            read_return.take_index.eq(read_table.taken),
            read_return.chunk.eq(host.read.payload),
            read_return.row.eq(router.row),
            read_return.row_valid.eq(router.row_valid & ~router.row.id[-1]),
        ]

        # Writes.
        connect(m, host.write, collector.chunk)
        connect(m, host.w, collector.w)
        connect(m, collector.write, write_buffer.write)
        connect(m, bursts.o, host.b)
        connect(m, write_table.fill, memory.fill)
        connect(m, write_table.send, sender.send)
        connect(m, sender.address, write_table.announce)
        connect(m, write_table.address, memory.address)
        connect(m, sender.drain, memory.drain)
        connect(m, sender.read, write_buffer.read)
        connect(m, memory.stored, write_table.stored)
        connect(m, write_buffer.filled, write_table.filled)
        connect(m, write_table.result, bursts.result)
        connect(m, host.bursts, bursts.open)
        for sink in (write_table, write_buffer, bursts):
            connect(m, collector.collected, sink.collected)
        m.d.comb += [
            collector.burst.eq(host.write_burst),
            collector.free.eq(write_table.free),
            collector.free_index.eq(write_table.free_index),
            collector.blocked.eq(write_buffer.blocked),
            write_table.take.eq(collector.take), write_table.chunk.eq(host.write.payload),
            memory.encrypt.eq(write_table.encrypt),
            write_buffer.blank.eq(~write_table.encrypt),
            write_buffer.row.eq(router.row),
            write_buffer.row_valid.eq(router.row_valid & router.row.id[-1]),
            write_buffer.strobe_entry.eq(memory.strobe_entry),
            memory.strobe.eq(write_buffer.strobe),
        ]

        # Hazards between the two tables.
        m.d.comb += [
            read_table.received.eq(router.received[:config.read_entries]),
            write_table.received.eq(read_table.settled),
            write_table.pending.eq(read_table.pending),
            read_table.writes.eq(write_table.writes),
            read_table.written.eq(write_table.written),
            *(ours.eq(theirs) for ours, theirs in zip(
                read_table.write_lines, write_table.lines, strict=True)),
            *(ours.eq(theirs) for ours, theirs in zip(
                write_table.read_lines, read_table.lines, strict=True)),
        ]

        # Tweaks start with the entries.
        chunk, write_chunk = host.read.payload, host.write.payload
        take_read = host.read.valid & host.read.ready
        m.d.comb += [
            tweaks.read.eq(take_read & chunk.encrypt & ~chunk.refused),
            tweaks.read_request.id.eq(read_entry), tweaks.read_request.line.eq(chunk.line),
            tweaks.read_request.slot.eq(chunk.slot),
            tweaks.write.eq(collector.take & write_chunk.encrypt),
            tweaks.write_request.id.eq(write_entry),
            tweaks.write_request.line.eq(write_chunk.line),
            tweaks.write_request.slot.eq(write_chunk.slot),
            router.tweaked.eq(tweaks.ready),
            write_table.tweaked.eq(tweaks.ready[writes_from:]),
            decrypt.tweak.valid.eq(tweaks.decrypt if tree else tweaks.valid),
            decrypt.tweak.entry.eq(tweaks.id), decrypt.tweak.value.eq(tweaks.value),
            encrypt.tweak.valid.eq(
                tweaks.encrypt if tree else tweaks.valid & tweaks.id[-1]),
            encrypt.tweak.entry.eq(tweaks.id[:-1]), encrypt.tweak.value.eq(tweaks.value),
        ]

        # The slot of each entry, and whether it encrypts.
        m.submodules.read_slots = read_slots = Memory(
            shape=range(config.domain_slots), depth=config.read_entries, init=[])
        m.submodules.write_slots = write_slots = Memory(
            shape=range(config.domain_slots), depth=config.write_entries, init=[])
        read_slots_write, write_slots_write = read_slots.write_port(), write_slots.write_port()
        read_slot = read_slots.read_port(domain="comb")
        fill_slot, send_slot = (write_slots.read_port(domain="comb") for _ in range(2))
        read_encrypt = Signal(writes_from)
        m.d.sync += read_encrypt.eq(Mux(
            take_read,
            (read_encrypt & ~(1 << read_table.taken)) | (chunk.encrypt << read_table.taken),
            read_encrypt))
        m.d.comb += [
            read_slots_write.en.eq(take_read), read_slots_write.addr.eq(read_table.taken),
            read_slots_write.data.eq(chunk.slot),
            write_slots_write.en.eq(collector.take),
            write_slots_write.addr.eq(write_table.free_index),
            write_slots_write.data.eq(write_chunk.slot),
            read_slot.addr.eq(router.lookup), fill_slot.addr.eq(router.lookup),
            router.slot.eq(Mux(router.lookup[-1], fill_slot.data, read_slot.data)),
            router.encrypt.eq(Cat(read_encrypt, write_table.encrypt)),
            send_slot.addr.eq(write_table.send.payload), sender.slot.eq(send_slot.data),
            sender.encrypt.eq(write_table.encrypt.bit_select(write_table.send.payload, 1)),
        ]

        # The ciphers.
        connect(m, memory.beat, router.i)
        self._connect_cipher(m, router.cipher, decrypt, router.decrypted)
        self._connect_cipher(m, sender.cipher, encrypt, sender.encrypted)

        m.d.comb += self.idle.eq(
            host.idle & read_table.idle & write_table.idle & bursts.idle & ~host.r.valid)
        if tree:
            self._elaborate_tree(m, take_read, writes_from, write_slots)
        return m

    def _elaborate_tree(self, m: Module, take_read: Signal, writes_from: int,
                        write_slots: Memory) -> None:
        """Add what the modes `integrity` and `full` need."""
        config, blocks = self._config, m.submodules
        host, memory, router, tweaks = (
            blocks.host_port, blocks.memory_port, blocks.row_router, blocks.tweaks)
        read_table, read_return = blocks.read_table, blocks.read_return
        write_table, write_buffer, collector = (
            blocks.write_table, blocks.write_buffer, blocks.write_collector)
        m.submodules.authentication = authentication = Authentication(config)
        m.submodules.bus_share = share = BusShare(config)
        metadata, chunk, write_chunk = self.tree, host.read.payload, host.write.payload
        connect(m, memory.axi, share.lines)
        connect(m, share.axi, flipped(self.memory))
        for name in ("fetch", "store", "drain"):
            connect(m, flipped(getattr(metadata, name)), getattr(share, name))
        connect(m, share.row, flipped(metadata.row))
        connect(m, authentication.access, flipped(metadata.access))
        connect(m, authentication.close, flipped(metadata.close))
        connect(m, flipped(metadata.answer), authentication.answer)
        m.d.comb += authentication.confirm.eq(metadata.confirm)
        connect(m, flipped(self.tag_key), authentication.tag_key)
        connect(m, authentication.report, flipped(self.report))
        connect(m, read_table.access, authentication.read_access)
        connect(m, write_table.authentication, authentication.table)
        connect(m, router.check, authentication.row)
        connect(m, blocks.write_sender.stored, authentication.sent)
        connect(m, authentication.check_tweak, tweaks.check)
        connect(m, authentication.seal_tweak, tweaks.seal)
        for name in ("valid", "index", "response"):
            m.d.comb += getattr(authentication.filled, name).eq(getattr(write_buffer.filled, name))
        for name in ("valid", "id", "passed", "response", "dropped"):
            m.d.comb += getattr(read_return.verdict, name).eq(getattr(authentication.verdict, name))

        read_authenticate = Signal(writes_from)
        m.d.sync += read_authenticate.eq(Mux(
            take_read,
            (read_authenticate & ~(1 << read_table.taken))
            | ((chunk.authenticate & ~chunk.refused) << read_table.taken),
            read_authenticate))
        whole = write_table.encrypt | write_table.authentication.authenticate
        drain_slot = write_slots.read_port(domain="comb")
        m.d.comb += [
            metadata.stored.eq(share.stored), metadata.stored_entry.eq(share.stored_entry),
            metadata.stored_response.eq(share.stored_response),
            authentication.take_read.eq(take_read),
            authentication.read_index.eq(read_table.taken), authentication.read_chunk.eq(chunk),
            authentication.take_write.eq(collector.take),
            authentication.write_index.eq(write_table.free_index),
            authentication.write_chunk.eq(write_chunk),
            read_table.answered.eq(authentication.answered),
            authentication.sealable.eq(tweaks.sealable),
            write_buffer.blank.eq(~whole | authentication.blank),
            tweaks.taken.eq(
                Mux(take_read, 1 << read_table.taken, 0)
                | Mux(collector.take, 1 << (writes_from | write_table.free_index), 0)),
            router.taken.eq(tweaks.taken),
            router.authenticate.eq(Cat(
                read_authenticate, write_table.authentication.authenticate)),
            # Tweaks of authenticated lines start when their version is known.
            tweaks.read.eq(take_read & chunk.encrypt & ~chunk.authenticate & ~chunk.refused),
            tweaks.write.eq(collector.take & write_chunk.encrypt & ~write_chunk.authenticate),
            memory.encrypt.eq(whole),
            drain_slot.addr.eq(memory.strobe_entry),
            memory.locked.eq(self.lock.bit_select(drain_slot.data, 1)),
            host.lock.eq(self.lock), read_return.lock.eq(self.lock),
            write_table.lock.eq(self.lock), authentication.lock.eq(self.lock),
            self.reports_lost.eq(authentication.reports_lost),
        ]
        assert config.tree is not None
        if config.tree.shared_cipher:
            users = {"rows": blocks.encrypt, "tweaks": tweaks, "pads": authentication}
            m.submodules.cipher = cipher = SharedCipher(
                config.data_cipher, aes_bits=config.aes_bits, erasable=config.keys is not None,
                users={name: user.cipher.signature for name, user in users.items()})
            for name, user in users.items():
                connect(m, user.cipher, getattr(cipher, name))
        if config.tree.shared_gmac:
            connect(m, flipped(metadata.gmac), authentication.gmac)
            connect(m, flipped(self.node_key), authentication.node_key)
            m.d.comb += metadata.gmac_loaded.eq(authentication.gmac_loaded)
            with m.If(authentication.crowded):
                m.d.comb += [blocks.write_sender.send.valid.eq(0), write_table.send.ready.eq(0)]
        with m.If(authentication.loading):
            m.d.comb += self.idle.eq(0)
        if config.keys is not None:
            m.submodules.slot_use = use = SlotUse(config)
            m.d.comb += [
                use.read.eq(host.read.valid), use.read_slot.eq(chunk.slot),
                use.take_read.eq(take_read), use.read_index.eq(read_table.taken),
                use.release_read.eq(read_return.release),
                use.write.eq(host.write.valid), use.write_slot.eq(write_chunk.slot),
                use.take_write.eq(collector.take), use.write_index.eq(write_table.free_index),
                use.release_write.eq(write_table.written),
                self.in_use.eq(use.in_use), self.loading.eq(authentication.loading),
                blocks.decrypt.unused[:writes_from].eq(~use.read_used),
                blocks.decrypt.unused[writes_from:].eq(~use.write_used),
                blocks.encrypt.unused.eq(~use.write_used),
            ]

    @staticmethod
    def _connect_cipher(m: Module, i: stream.Interface, cipher: XtsCipher,
                        o: stream.Interface) -> None:
        fields = ["data", "row", "entry"]
        if hasattr(i.payload, "tag"):
            fields.append("tag")
        m.d.comb += [cipher.i.valid.eq(i.valid), i.ready.eq(cipher.i.ready),
                     cipher.i.payload.key.eq(i.payload.key), o.valid.eq(cipher.o.valid)]
        for name in fields:
            m.d.comb += [
                getattr(cipher.i.payload, name).eq(getattr(i.payload, name)),
                getattr(o.payload, name).eq(getattr(cipher.o.payload, name)),
            ]
