"""MACs of leaves and nodes: compared when they come from DRAM, made when they go there."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .interface import node_gmac_port, node_request_layout, node_row_layout
from .layouts import COUNTER_FIELD_BITS, MAC_BITS
from .storage import SlotRead
from .table import entry_shape, named_node_layout

__all__ = ["Checker"]

_FIRST_KIND = 2
"""Kind of a leaf in the IV; a node of level k has k more."""


class Checker(wiring.Component):
    """Both directions: a row in each cycle.

    Rows that come from DRAM are hashed as they come; the pad follows when the counter is known. An
    entry to be sealed is read from its slot twice: to be hashed, then, with its MAC, for DRAM.

    Members
    -------
    row: In(stream.Signature(node_row_layout(config)))
        From DRAM.
    slot: Out(stream.Signature(node_row_layout(config)))
        The same rows, for the slots.
    arrive: Out(1), arrive_entry: Out, arrive_response: Out(2)
        An entry's last row has come, with the first error of all its rows.
    pad: In(stream.Signature(named_node_layout(config)))
        Entries whose check wants its pad.
    seal: In(stream.Signature(named_node_layout(config)))
        Entries to be sealed and written.
    look_entry: Out, old: In(52), new: In(52)
        Counter under which an entry is checked, and sealed.
    check: Out(1), check_entry: Out, check_good: Out(1)
        A MAC was compared.
    read: Out(SlotRead(config))
    store: Out(stream.Signature(node_request_layout(config)))
        Addresses of leaves and nodes on their way to DRAM.
    drain: Out(stream.Signature(node_row_layout(config)))
        Their rows.
    address_entry: Out(named_node_layout(config)), address: In(address_bits)
        The address of an entry's leaf or node, combinational.
    gmac: Out(node_gmac_port(config))
        Who makes the MACs.
    """

    row: stream.Interface
    slot: stream.Interface
    pad: stream.Interface
    seal: stream.Interface
    store: stream.Interface
    drain: stream.Interface
    gmac: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        self._config = config
        entry = entry_shape(config)
        node, row = named_node_layout(config), node_row_layout(config)
        super().__init__({
            "row": In(stream.Signature(row)), "slot": Out(stream.Signature(row)),
            "arrive": Out(1), "arrive_entry": Out(entry), "arrive_response": Out(2),
            "pad": In(stream.Signature(node)), "seal": In(stream.Signature(node)),
            "look_entry": Out(entry), "old": In(COUNTER_FIELD_BITS), "new": In(COUNTER_FIELD_BITS),
            "check": Out(1), "check_entry": Out(entry), "check_good": Out(1),
            "read": Out(SlotRead(config)),
            "store": Out(stream.Signature(node_request_layout(config))),
            "drain": Out(stream.Signature(row)),
            "address_entry": Out(node), "address": In(config.address_bits),
            "gmac": Out(node_gmac_port(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, gmac = self._config, self.gmac
        rows, entries = config.rows_per_line, config.node_entries
        m.submodules.macs = macs = Memory(shape=MAC_BITS, depth=entries, init=[])
        m.submodules.made = made = Memory(shape=MAC_BITS, depth=entries, init=[])
        mac_write, mac_read = macs.write_port(), macs.read_port(domain="comb")
        made_write, made_read = made.write_port(), made.read_port(domain="comb")
        m.submodules.errors = errors = Memory(shape=2, depth=entries, init=[])
        error_write, error_read = errors.write_port(), errors.read_port(domain="comb")

        # Sealing: one entry at a time through the hash, one on its way to DRAM.
        hashing, hash_rows = Signal(), Signal(range(rows + 1))
        hashed = Signal(named_node_layout(config))
        unpadded = Signal()
        m.submodules.finished = finished = Finished(config)
        start = Signal()
        m.d.comb += [
            start.eq(self.seal.valid & ~hashing & finished.room),
            self.seal.ready.eq(start),
        ]
        with m.If(start):
            m.d.sync += [
                hashing.eq(1), hash_rows.eq(0), hashed.eq(self.seal.payload), unpadded.eq(1)]

        # The slots' read port: rows to be hashed go first.
        reading = Signal()  # a row to be hashed is read in this cycle
        fed, fed_row = Signal(), Signal(range(rows))
        m.d.comb += reading.eq(hashing & (hash_rows != rows))
        step = ~fed | gmac.row.ready
        with m.If(step):
            m.d.sync += [fed.eq(reading), fed_row.eq(hash_rows)]
            with m.If(reading):
                m.d.sync += hash_rows.eq(hash_rows + 1)
        with m.If(hashing & (hash_rows == rows) & step & ~unpadded):
            m.d.sync += hashing.eq(0)

        # The hash: what is sealed goes before what comes from DRAM.
        arrived = self.row.payload
        inward = Signal()
        m.d.comb += [
            self.slot.valid.eq(self.row.valid & ~fed & gmac.row.ready),
            self.slot.payload.eq(arrived),
            self.row.ready.eq(~fed & gmac.row.ready & self.slot.ready),
            inward.eq(self.row.valid & self.row.ready),
            gmac.row.valid.eq(fed | (self.row.valid & self.slot.ready)),
            gmac.row.payload.data.eq(Mux(fed, self.read.data, arrived.data)),
            gmac.row.payload.row.eq(Mux(fed, fed_row, arrived.row)),
            gmac.row.payload.entry.eq(Mux(fed, hashed.entry, arrived.entry)),
            gmac.row.payload.node.eq(1), gmac.row.payload.tag.eq(fed),
            gmac.row.payload.first.eq(gmac.row.payload.row == 0),
            gmac.row.payload.last.eq(gmac.row.payload.row == rows - 1),
        ]
        last = arrived.row == rows - 1
        so_far = Signal(2)
        m.d.comb += [
            error_read.addr.eq(arrived.entry), error_write.addr.eq(arrived.entry),
            so_far.eq(Mux((arrived.row != 0) & error_read.data[1], error_read.data,
                          arrived.response)),
            error_write.en.eq(inward), error_write.data.eq(so_far),
            self.arrive.eq(inward & last), self.arrive_entry.eq(arrived.entry),
            self.arrive_response.eq(so_far),
            mac_write.en.eq(inward & last), mac_write.addr.eq(arrived.entry),
            mac_write.data.eq(arrived.data[-MAC_BITS:]),
        ]

        # Pads.
        chosen = Signal(named_node_layout(config))
        request = gmac.request.payload
        m.d.comb += [
            chosen.eq(Mux(unpadded, hashed, self.pad.payload)),
            self.look_entry.eq(chosen.entry),
            gmac.request.valid.eq(unpadded | self.pad.valid),
            self.pad.ready.eq(gmac.request.ready & ~unpadded),
            request.entry.eq(chosen.entry), request.kind.eq(chosen.level + _FIRST_KIND),
            request.index.eq(chosen.index), request.counter.eq(Mux(unpadded, self.new, self.old)),
        ]
        with m.If(unpadded & gmac.request.ready):
            m.d.sync += unpadded.eq(0)

        # MACs.
        result = gmac.o.payload
        m.d.comb += [
            mac_read.addr.eq(result.entry),
            self.check.eq(gmac.o.valid & ~result.tag), self.check_entry.eq(result.entry),
            self.check_good.eq(mac_read.data == result.mac[:MAC_BITS]),
            made_write.en.eq(gmac.o.valid & result.tag), made_write.addr.eq(result.entry),
            made_write.data.eq(result.mac[:MAC_BITS]),
            finished.add.eq(start), finished.node.eq(self.seal.payload),
            finished.made.eq(made_write.en), finished.made_entry.eq(result.entry),
        ]

        # On to DRAM, in the order of the seals.
        leaving = finished.o.payload
        announced, drained = Signal(), Signal(range(rows + 1))
        out, out_row, out_entry = Signal(), Signal(range(rows)), Signal(entry_shape(config))
        m.d.comb += [
            self.address_entry.eq(leaving),
            self.store.valid.eq(finished.o.valid & ~announced),
            self.store.payload.entry.eq(leaving.entry),
            self.store.payload.address.eq(self.address),
        ]
        draining = Signal()
        out_step = ~out | self.drain.ready
        m.d.comb += [
            draining.eq(finished.o.valid & announced & (drained != rows) & step & ~reading
                        & out_step),
            self.read.enable.eq((reading & step) | draining),
            self.read.entry.eq(Mux(reading & step, hashed.entry, leaving.entry)),
            self.read.row.eq(Mux(reading & step, hash_rows, drained)),
        ]
        with m.If(self.store.valid & self.store.ready):
            m.d.sync += announced.eq(1)
        # What was read stays at the port only until the next read: keep it.
        fresh = Signal()
        kept = Signal(8 * config.row_bytes)
        row_data = Signal(8 * config.row_bytes)
        m.d.comb += row_data.eq(Mux(fresh, self.read.data, kept))
        m.d.sync += [fresh.eq(draining), kept.eq(row_data)]
        with m.If(draining):
            m.d.sync += [
                out.eq(1), out_row.eq(drained), out_entry.eq(leaving.entry),
                drained.eq(drained + 1)]
        with m.Elif(self.drain.ready):
            m.d.sync += out.eq(0)
        done = (drained == rows) & out & self.drain.ready
        m.d.comb += [
            finished.o.ready.eq(done), made_read.addr.eq(out_entry),
            self.drain.valid.eq(out), self.drain.payload.entry.eq(out_entry),
            self.drain.payload.row.eq(out_row), self.drain.payload.data.eq(row_data),
        ]
        with m.If(out_row == rows - 1):
            m.d.comb += self.drain.payload.data[-MAC_BITS:].eq(made_read.data)
        with m.If(done):
            m.d.sync += [announced.eq(0), drained.eq(0)]
        return m


class Finished(wiring.Component):
    """Entries that were given to the hash, in order, each passed on when its MAC is made.

    Members
    -------
    add: In(1), node: In(named_node_layout(config))
        An entry is given to the hash.
    room: Out(1)
        There is a place for it.
    made: In(1), made_entry: In
        The MAC of an entry was made.
    o: Out(stream.Signature(named_node_layout(config)))
    """

    o: stream.Interface
    add: Signal
    room: Signal
    made: Signal
    made_entry: Signal

    def __init__(self, config: EngineConfig):
        self._config = config
        node = named_node_layout(config)
        super().__init__({
            "add": In(1), "node": In(node), "room": Out(1), "made": In(1),
            "made_entry": In(entry_shape(config)), "o": Out(stream.Signature(node)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = 4
        m.submodules.nodes = nodes = Memory(
            shape=named_node_layout(self._config), depth=depth, init=[])
        write, read = nodes.write_port(), nodes.read_port(domain="comb")
        head, tail, count = Signal(range(depth)), Signal(range(depth)), Signal(range(depth + 1))
        made = Signal(self._config.node_entries)
        leave = Signal()
        m.d.comb += [
            leave.eq(self.o.valid & self.o.ready),
            self.room.eq(count != depth), write.en.eq(self.add), write.addr.eq(tail),
            write.data.eq(self.node), read.addr.eq(head), self.o.payload.eq(read.data),
            self.o.valid.eq((count != 0) & made.bit_select(self.o.payload.entry, 1)),
        ]
        m.d.sync += [
            count.eq(count + self.add - leave),
            tail.eq(tail + self.add), head.eq(head + leave),
            made.eq((made | Mux(self.made, 1 << self.made_entry, 0))
                    & ~Mux(leave, 1 << self.o.payload.entry, 0)),
        ]
        return m
