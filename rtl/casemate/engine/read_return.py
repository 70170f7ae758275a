"""Gives read data back to the host: in order for each ID, out of order across IDs."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..axi.signature import Response
from ..config import EngineConfig
from ..streams import Picker
from .bundles import Verdict
from .id_order import IdOrder
from .layouts import chunk_layout, next_offset, row_layout

__all__ = ["ReadReturn", "read_beat_layout"]


def read_beat_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of the host's read data channel."""
    return data.StructLayout({
        "id": config.id_bits, "data": config.data_bits, "response": 2, "last": 1,
    })


class ReadReturn(wiring.Component):
    """Line buffer of the reads, and the sequencer of the host's read data channel.

    A row that is the next beat of its ID goes straight to the output register (latency 1 cycle);
    whatever the host cannot take yet waits in the line buffer, which has room for every entry, so
    that rows are always accepted. One beat per cycle, across chunks and IDs too. Once a chunk has
    begun, its beats follow each other without another ID's between them.

    Nothing of an authenticated line leaves before its verdict: its rows wait in the buffer, and
    those that come later may go straight on. A line that did not pass, and whatever belongs to a
    locked slot when it leaves, is zeros.

    Members
    -------
    take: In(1), take_index: In(range(read_entries)), chunk: In(chunk_layout(config))
        An entry is taken for a chunk.
    row: In(row_layout(config)), row_valid: In(1)
        A row of an entry's line; ``row.id`` is the entry.
    verdict: In(Verdict(config)), lock: In(domain_slots)
        With a tree: verdicts of the entries, with and without rows to come; slots that get nothing.
    release: Out(read_entries)
        A pulse for each entry whose last beat is in the output register and whose last row has
        come: nothing more will arrive for it.
    o: Out(stream.Signature(read_beat_layout(config)))
        Beats to the host, from a register.
    """

    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        index = range(config.read_entries)
        super().__init__({
            "take": In(1), "take_index": In(index), "chunk": In(chunk_layout(config)),
            "row": In(row_layout(config)), "row_valid": In(1),
            "release": Out(config.read_entries),
            "o": Out(stream.Signature(read_beat_layout(config))),
            **({} if config.tree is None else {
                "verdict": In(Verdict(config)), "lock": In(config.domain_slots)}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n, rows = config.read_entries, config.rows_per_line
        tree = config.tree is not None
        row_shift = (config.row_bytes - 1).bit_length()
        index = range(n)

        def row_of(offset):
            return offset[row_shift:]

        # What is known of each entry: its chunk, and which rows are in the buffer.
        chunks = Memory(shape=chunk_layout(config), depth=n, init=[])
        m.submodules.chunks = chunks
        chunk_write = chunks.write_port()
        next_chunk, row_chunk = chunks.read_port(domain="comb"), chunks.read_port(domain="comb")
        stored = data.StructLayout({"response": 2, "data": 8 * config.row_bytes})
        m.submodules.buffer = buffer = Memory(shape=stored, depth=n * rows, init=[])
        buffer_write, buffer_read = buffer.write_port(), buffer.read_port()
        arrived = Signal(data.ArrayLayout(rows, n))
        begun = Signal(n)  # the row of the chunk's first beat is in the buffer
        checked = Signal(n, init=0 if tree else 2**n - 1)  # the rows may leave

        entry = Signal(index)
        m.d.comb += [
            chunk_write.en.eq(self.take), chunk_write.addr.eq(self.take_index),
            chunk_write.data.eq(self.chunk),
            entry.eq(self.row.id),
            row_chunk.addr.eq(entry),
            buffer_write.en.eq(self.row_valid),
            buffer_write.addr.eq(entry * rows + self.row.row),
            buffer_write.data.response.eq(self.row.response),
            buffer_write.data.data.eq(self.row.data),
        ]
        starts = Signal()  # the row in hand holds its chunk's first beat
        m.d.comb += starts.eq(self.row_valid
                              & (row_of(row_chunk.data.offset) == self.row.row))
        for i in index:
            with m.If(self.take & (self.take_index == i)):
                m.d.sync += [
                    arrived[i].eq(Mux(self.chunk.refused, 2**rows - 1, 0)),
                    begun[i].eq(self.chunk.refused),
                ]
                if tree:
                    m.d.sync += checked[i].eq(self.chunk.refused | ~self.chunk.authenticate)
            with m.Elif(self.row_valid & (entry == i)):
                m.d.sync += arrived[i].eq(arrived[i] | (1 << self.row.row)[:rows])
                with m.If(starts):
                    m.d.sync += begun[i].eq(1)
            if tree:
                # A line that did not pass has all its rows: they are zeros.
                with m.If(self.verdict.valid & (self.verdict.id == i)):
                    m.d.sync += checked[i].eq(1)
                    with m.If(~self.verdict.passed):
                        m.d.sync += [arrived[i].eq(2**rows - 1), begun[i].eq(1)]

        # The chunk being returned, and the one chosen to follow it.
        active = Signal()
        current = Signal(index)
        chunk = Signal(chunk_layout(config), reset_less=True)  # offset and beats count along
        m.submodules.order = order = IdOrder(n, config.id_bits)
        m.submodules.choice = choice = Picker(n)
        final = Signal()  # the beat of this cycle is its chunk's last
        returned = Signal(index)  # the entry of that chunk
        in_use = Signal(n)
        m.d.comb += [
            order.add.eq(self.take), order.add_index.eq(self.take_index),
            order.add_id.eq(self.chunk.id),
            order.remove.eq(final), order.remove_index.eq(returned),
            order.look_index.eq(current),
            choice.requests.eq(
                in_use & begun & (~order.waiting | Mux(active, order.follows, 0))
                & checked & ~Mux(active, 1 << current, 0)),
        ]
        m.d.sync += in_use.eq(
            (in_use | Mux(self.take, 1 << self.take_index, 0))
            & ~Mux(final, 1 << returned, 0))

        # Where the beat of this cycle comes from.
        room = Signal()  # the output register can be loaded
        direct = Signal()  # the row in hand is the next beat of the current chunk
        first = Signal()  # it is the first beat of a chunk, and no other is in the way
        buffered = Signal()  # the buffer's output is the next beat
        m.d.comb += [
            room.eq(self.o.ready | ~self.o.valid),
            direct.eq(active & self.row_valid & (entry == current)
                      & (self.row.row == row_of(chunk.offset))),
            first.eq(~active & ~choice.o.valid & starts & room
                     & ~order.waiting.bit_select(entry, 1) & in_use.bit_select(entry, 1)
                     & checked.bit_select(entry, 1)),
        ]
        beat = Signal()
        working = Signal(chunk_layout(config))  # the chunk that the beat belongs to
        m.d.comb += [
            beat.eq(first | (active & room & (direct | buffered))),
            working.eq(Mux(active, chunk, row_chunk.data)),
            final.eq(beat & (working.beats == 0)),
            returned.eq(Mux(active, current, entry)),
        ]

        # An entry is free when its beats are out and all its rows are in, whichever comes last.
        complete, done = Signal(n), Signal(n)
        completing, finishing, ending = Signal(n), Signal(n), Signal(n)
        m.d.comb += [
            ending.eq(Mux(self.row_valid & (self.row.row == rows - 1), 1 << entry, 0)),
            completing.eq(complete | ending),
            finishing.eq(done | Mux(final, 1 << returned, 0)),
            self.release.eq(completing & finishing),
        ]
        m.d.sync += [
            complete.eq((completing & ~self.release)
                        | Mux(self.take & self.chunk.refused, 1 << self.take_index, 0)),
            done.eq(finishing & ~self.release),
        ]

        result = data.StructLayout({"passed": 1, "response": 2})
        outcome = Signal(result)  # of the line that the beat belongs to
        if tree:
            # The first row of a line that did not pass may come when the line was chosen already.
            with m.If(begun.bit_select(entry, 1)):
                m.d.comb += first.eq(0)

            # Rows of a line that did not pass may still come behind its last beat.
            ended, ended_now, judged = Signal(n), Signal(n), Signal(n)
            here = Mux(self.verdict.valid, (1 << self.verdict.id)[:n], 0)
            m.d.comb += [
                judged.eq(checked | here),
                ended_now.eq(ended | ending | Mux(self.verdict.dropped, here, 0)),
                completing.eq(complete | (ended_now & judged)),
            ]
            m.d.sync += ended.eq(ended_now & ~self.release)
            m.submodules.outcomes = outcomes = Memory(shape=result, depth=n, init=[])
            outcome_write, outcome_read = outcomes.write_port(), outcomes.read_port(domain="comb")
            m.d.comb += [
                outcome.eq(outcome_read.data),
                outcome_write.en.eq(here.any()), outcome_write.addr.eq(self.verdict.id),
                outcome_write.data.passed.eq(self.verdict.passed),
                outcome_write.data.response.eq(self.verdict.response),
                outcome_read.addr.eq(returned),
            ]

        # What comes next; the buffer is read one cycle ahead.
        begin = Signal()
        advanced = Signal(chunk_layout(config))
        upcoming, upcoming_chunk = Signal(index), Signal(chunk_layout(config))
        m.d.comb += [
            advanced.eq(working),
            begin.eq(choice.o.valid & (~active | final)),
            choice.o.ready.eq(begin),
            next_chunk.addr.eq(choice.o.payload),
        ]
        with m.If(beat):
            m.d.comb += [
                advanced.offset.eq(next_offset(working.offset, working.size, working.wrap)),
                advanced.beats.eq(working.beats - 1),
            ]
        m.d.comb += [
            upcoming.eq(Mux(begin, choice.o.payload, Mux(active, current, entry))),
            upcoming_chunk.eq(Mux(begin, next_chunk.data, advanced)),
            buffer_read.addr.eq(upcoming * rows + row_of(upcoming_chunk.offset)),
        ]
        m.d.sync += [
            active.eq(begin | (first & ~final) | (active & ~final)),
            current.eq(upcoming),
            chunk.eq(upcoming_chunk),
            buffered.eq(arrived[upcoming].bit_select(row_of(upcoming_chunk.offset), 1)
                        if rows > 1 else arrived[upcoming]),
        ]

        # The output register.
        row_data, response = Signal(8 * config.row_bytes), Signal(2)
        m.d.comb += [
            row_data.eq(Mux(direct | first, self.row.data, buffer_read.data.data)),
            response.eq(Mux(direct | first, self.row.response, buffer_read.data.response)),
        ]
        nothing = working.refused
        if tree:
            with m.If(working.authenticate & ~outcome.passed):
                m.d.comb += [row_data.eq(0), response.eq(outcome.response)]
            nothing |= self.lock.bit_select(working.slot, 1)
        with m.If(nothing):
            m.d.comb += [row_data.eq(0), response.eq(Response.SLVERR.value)]
        payload = Signal(read_beat_layout(config), reset_less=True)
        m.d.comb += self.o.payload.eq(payload)
        bus_bytes = config.data_bits // 8
        lane = working.offset[(bus_bytes - 1).bit_length():row_shift]
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(beat),
                payload.id.eq(working.id),
                payload.data.eq(row_data.word_select(lane, config.data_bits)
                                if len(lane) else row_data),
                payload.response.eq(response),
                payload.last.eq(working.last & (working.beats == 0)),
            ]
        return m
