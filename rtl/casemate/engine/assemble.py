"""Puts beats of the DRAM's read data channel together to rows."""

from dataclasses import dataclass

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from ..axi.signature import Response
from ..config import EngineConfig

__all__ = ["Row", "assembled_row"]


@dataclass(frozen=True)
class Row:
    """What the beat in hand makes of a row; combinational.

    Attributes
    ----------
    complete:
        The beat completes a row.
    last:
        The beat is its line's last.
    number:
        The row's place in the line.
    data, response:
        The row, once it is complete; the first error of its beats.
    """

    complete: Signal
    last: Signal
    number: Value
    data: Signal
    response: Signal


def assembled_row(m: Module, config: EngineConfig, *, ids: int, beat: data.View,
                  transfer: Signal) -> Row:
    """Count the beats of each ID, and keep halves of rows; an ID's beats come in order.

    Parameters
    ----------
    m:
        Module that gets the counters.
    config:
        The engine's configuration.
    ids:
        IDs that `beat` may have, from 0.
    beat:
        Has the fields ``id``, ``data`` and ``response``.
    transfer:
        The beat is taken in this cycle.
    """
    beats = config.beats_per_line
    # Position of the beat in its line: the DRAM returns each ID's beats in order.
    position, last = Signal(range(beats)), Signal()
    if beats > 1:
        counts = [Signal(range(beats), name=f"count_{i}") for i in range(ids)]
        for i, count in enumerate(counts):
            with m.If(beat.id == i):
                m.d.comb += position.eq(count)
                with m.If(transfer):
                    m.d.sync += count.eq(count + 1)
    m.d.comb += last.eq(position == beats - 1)

    # A DRAM that answers EXOKAY was not asked for an exclusive access.
    response, row_data = Signal(2), Signal(8 * config.row_bytes)
    m.d.comb += response.eq(Mux(beat.response == Response.EXOKAY.value,
                                Response.OKAY.value, beat.response))
    complete, row_response = Signal(), Signal(2)
    parts = config.row_bytes * 8 // config.data_bits
    if parts == 1:
        m.d.comb += [
            complete.eq(1), row_data.eq(beat.data), row_response.eq(response)]
    else:
        # A bus narrower than an AES block: the first half waits for the second.
        half = data.StructLayout({"data": config.data_bits, "response": 2})
        m.submodules.halves = halves = Memory(shape=half, depth=ids, init=[])
        write, read = halves.write_port(), halves.read_port(domain="comb")
        m.d.comb += [
            complete.eq(position[0]),
            write.addr.eq(beat.id), write.en.eq(transfer & ~complete),
            write.data.data.eq(beat.data), write.data.response.eq(response),
            read.addr.eq(beat.id),
            row_data.eq(Cat(read.data.data, beat.data)),
            row_response.eq(Mux(read.data.response.any(), read.data.response, response)),
        ]
    return Row(complete, last, position[(parts - 1).bit_length():], row_data, row_response)
