"""The queue of waiting requests: oldest first, open rows first."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from casemate_sim.dram.layouts import Geometry

__all__ = ["RequestQueue"]


def _first(m: Module, name: str, candidates: list) -> tuple[Signal, Signal]:
    """Return whether there is a candidate and the index of the first one."""
    any_one = Signal(name=f"{name}_any")
    index = Signal(ceil_log2(len(candidates)), name=f"{name}_index")
    packed = Signal(len(candidates), name=f"{name}_candidates")
    m.d.comb += [packed.eq(Cat(candidates)), any_one.eq(packed.any())]
    for i in reversed(range(len(candidates))):
        with m.If(packed[i]):
            m.d.comb += index.eq(i)
    return any_one, index


class RequestQueue(wiring.Component):
    """Holds requests in the order of their arrival and picks the next commands.

    Each entry remembers whether its row is open, kept up to date from the row commands that the
    queue sees, so that choosing needs no comparison of rows. An entry is in the queue one cycle
    after its transfer on `i`.

    A column access goes to the oldest request whose row is open and whose bank allows it; with
    `ordered`, not before an older one of the same ID. A row command goes to the oldest request
    that needs one and may have it: no row is closed while a request of this queue could use it.
    After ``starvation`` accesses that overtook the oldest request only that one is served.

    Parameters
    ----------
    geometry:
        Widths.
    depth:
        Requests held, at least 2.
    ordered:
        Keep requests of equal ID in order.

    Members
    -------
    i : In(stream.Signature(Geometry.request))
        New requests.
    starvation : In(8)
        Accesses that may overtake the oldest.
    open, column_ready, activate_ready, precharge_ready : In(banks)
        From `Banks`.
    open_row : In(row_bits), an array over banks
        From `Banks`.
    row : In(Geometry.row_command)
        The row command that is issued in this cycle, whichever queue it serves.
    refreshing : In(1)
        All rows close at the end of this cycle.
    column_request : Out(1)
        There is a request whose column access its bank allows.
    column : Out(Geometry.request)
        It; meaningful with `column_request`.
    take : In(1)
        Its access is issued; it leaves the queue.
    row_request : Out(Geometry.row_command)
        The row command that the queue would like next.
    level : Out(range(depth + 1))
        Requests held.
    line : In(line_bits)
        A line address to look for.
    holds_line : Out(1)
        A request of `line` is in the queue.
    """

    def __init__(self, geometry: Geometry, *, depth: int = 16, ordered: bool):
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth}")
        self._geometry = geometry
        self._depth = depth
        self._ordered = ordered
        banks = geometry.banks
        super().__init__({
            "i": In(stream.Signature(geometry.request)), "starvation": In(8),
            "open": In(banks), "open_row": In(geometry.row_bits).array(banks),
            "column_ready": In(banks), "activate_ready": In(banks), "precharge_ready": In(banks),
            "row": In(geometry.row_command), "refreshing": In(1),
            "column_request": Out(1), "column": Out(geometry.request), "take": In(1),
            "row_request": Out(geometry.row_command), "level": Out(range(depth + 1)),
            "line": In(geometry.line_bits), "holds_line": Out(1),
        })

    def _entry(self) -> data.StructLayout:
        return data.StructLayout({
            "valid": 1, "hit": 1, "older": ceil_log2(self._depth), "request":
            self._geometry.request})

    def _hit_after(self, m: Module, name: str, request, hit):
        """Whether the row of `request` is open after this cycle's commands."""
        after = Signal(name=f"{name}_hit_after")
        m.d.comb += after.eq(hit)
        with m.If(self.row.valid & (self.row.bank == request.bank)):
            m.d.comb += after.eq(self.row.activate & (self.row.row == request.row))
        with m.If(self.refreshing):
            m.d.comb += after.eq(0)
        return after

    def elaborate(self, platform) -> Module:
        """Build the entries, their ageing and the two choices."""
        m = Module()
        depth = self._depth
        layout = self._entry()
        entries = [Signal(layout, name=f"entry_{i}") for i in range(depth)]
        overtaken = Signal(8)
        starving = Signal()
        m.d.comb += starving.eq(overtaken >= self.starvation)

        column_any, column_index = self._choose_column(m, entries, starving)
        self._choose_row(m, entries, starving)

        taken = Signal()
        m.d.comb += [taken.eq(self.take & column_any), self.column_request.eq(column_any)]
        with m.If(taken):
            with m.If(column_index == 0):
                m.d.sync += overtaken.eq(0)
            with m.Elif(~starving):
                m.d.sync += overtaken.eq(overtaken + 1)

        # What each entry is after this cycle, before the ones behind the taken one move up
        following = []
        for i, entry in enumerate(entries):
            after = Signal(layout, name=f"after_{i}")
            m.d.comb += [
                after.eq(entry),
                after.hit.eq(self._hit_after(m, f"entry_{i}", entry.request, entry.hit)),
            ]
            if self._ordered:
                same = entry.request.burst.id == self.column.burst.id
                m.d.comb += after.older.eq(entry.older - (taken & same & (entry.older != 0)))
            following.append(after)

        new = Signal(layout)
        self._describe_new(m, new, entries, taken)
        nothing = Signal(layout, name="nothing")
        place = Signal(range(depth + 1))
        pushed = Signal()
        m.d.comb += [
            self.i.ready.eq(self.level != depth),
            pushed.eq(self.i.valid & self.i.ready),
            place.eq(self.level - taken),
        ]
        m.d.sync += self.level.eq(place + pushed)
        for i, entry in enumerate(entries):
            upper = following[i + 1] if i + 1 < depth else nothing
            moves = Signal(name=f"moves_{i}")
            m.d.comb += moves.eq(taken & (column_index <= i))
            with m.If(pushed & (place == i)):
                m.d.sync += entry.eq(new)
            with m.Elif(moves):
                m.d.sync += entry.eq(upper)
            with m.Else():
                m.d.sync += entry.eq(following[i])

        m.d.comb += self.holds_line.eq(Cat(
            entry.valid & (entry.request.burst.line == self.line) for entry in entries).any())
        return m

    def _choose_column(self, m: Module, entries: list, starving) -> tuple[Signal, Signal]:
        candidates = []
        for i, entry in enumerate(entries):
            request = entry.request
            ready = entry.hit & self.column_ready.bit_select(request.bank, 1)
            candidate = entry.valid & (request.bankless | ready)
            if self._ordered:
                candidate &= entry.older == 0
            candidates.append(candidate if i == 0 else candidate & ~starving)
        found, index = _first(m, "column", candidates)
        with m.Switch(index):
            for i, entry in enumerate(entries):
                with m.Case(i):
                    m.d.comb += self.column.eq(entry.request)
        return found, index

    def _choose_row(self, m: Module, entries: list, starving) -> None:
        # Not the rows of requests that wait for an older one of their ID: it may need the bank
        wanted = Signal(self._geometry.banks)
        m.d.comb += wanted.eq(sum_or(
            Mux(entry.valid & entry.hit & ~entry.request.bankless & (entry.older == 0),
                Const(1, self._geometry.banks) << entry.request.bank, 0) for entry in entries))
        closable = Signal(self._geometry.banks)
        m.d.comb += closable.eq(self.precharge_ready & ~wanted)
        candidates = []
        for i, entry in enumerate(entries):
            bank = entry.request.bank
            can_close = closable.bit_select(bank, 1)
            if i == 0:
                can_close |= starving & self.precharge_ready.bit_select(bank, 1)
            candidate = (entry.valid & ~entry.hit & ~entry.request.bankless
                         & (self.activate_ready.bit_select(bank, 1) | can_close))
            candidates.append(candidate if i == 0 else candidate & ~starving)
        found, index = _first(m, "row", candidates)
        m.d.comb += self.row_request.valid.eq(found)
        with m.Switch(index):
            for i, entry in enumerate(entries):
                with m.Case(i):
                    m.d.comb += [
                        self.row_request.bank.eq(entry.request.bank),
                        self.row_request.row.eq(entry.request.row),
                    ]
        m.d.comb += self.row_request.activate.eq(
            ~self.open.bit_select(self.row_request.bank, 1))

    def _describe_new(self, m: Module, new, entries: list, taken) -> None:
        """Fill in the entry of a request that arrives in this cycle."""
        request = self.i.p
        row_is_open = Signal()
        with m.Switch(request.bank):
            for bank in range(self._geometry.banks):
                with m.Case(bank):
                    m.d.comb += row_is_open.eq(self.open[bank]
                                               & (self.open_row[bank] == request.row))
        m.d.comb += [
            new.valid.eq(1), new.request.eq(request),
            new.hit.eq(self._hit_after(m, "new", request, row_is_open)),
        ]
        if self._ordered:
            same = [entry.valid & (entry.request.burst.id == request.burst.id)
                    for entry in entries]
            leaving = taken & (self.column.burst.id == request.burst.id)
            count = Signal(range(self._depth + 1))
            m.d.comb += [count.eq(sum(same, start=Const(0, 1)) - leaving),
                         new.older.eq(count)]


def sum_or(values):
    """Bitwise OR of all `values`."""
    result = Const(0)
    for value in values:
        result |= value
    return result
