"""The AXI4 protocol as assertions on one bus.

Rules carry the names of Arm's protocol checker (AMBA 4 AXI4 Protocol Assertions, ARM DUI 0534):
``AXI4_ERRM_...`` binds the manager, ``AXI4_ERRS_...`` the subordinate. Section numbers are those of
the AMBA AXI and ACE specification, ARM IHI 0022. Our own rules, ``AXI4_AUX_...``, say that
the observer's tables are large enough.
"""

from collections.abc import Collection

from amaranth import Module, Mux, ResetSignal, Signal, Value
from amaranth.hdl import Assert, Assume, ValueLike
from amaranth.lib import data, enum, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .address_rules import address_rules
from .id_queues import IdQueues
from .lanes import byte_lanes
from .signature import Response, Signature

__all__ = ["Role", "Rules"]

_CHANNELS = {
    "aw": ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos", "user"),
    "w": ("data", "strb", "last"),
    "b": ("id", "resp"),
    "ar": ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos", "user"),
    "r": ("id", "data", "resp", "last"),
}
_MANAGER_CHANNELS = ("aw", "w", "ar")


class Role(enum.Enum):
    """What the rules of one side are: to be proven, given, or left alone."""

    ASSERT = "assert"
    ASSUME = "assume"
    IGNORE = "ignore"


class Rules(wiring.Component):
    """Observes a bus and asserts that both sides keep the rules.

    The bus is sampled at each clock edge; nothing is checked while reset is active. Write data may
    go ahead of their address; WSTRB of a beat is checked if the address is on the bus in the same
    cycle at the latest.

    Rules
    -----
    On each channel x (A3.1.2, A3.2.1): ``xVALID_RESET`` no valid in the first cycle after reset;
    ``xVALID_STABLE`` and ``x<signal>_STABLE`` valid and payload stay until ready.

    Addresses (A3.4.1, A4.4, A7.2.4): ``AxBURST`` not reserved; ``AxSIZE`` not above the bus;
    ``AxLEN_FIXED`` at most 16 beats; ``AxLEN_WRAP`` 2, 4, 8 or 16; ``AxADDR_WRAP_ALIGN`` aligned to
    the size; ``AxADDR_BOUNDARY`` no crossing of 4 KiB; ``AxCACHE`` no reserved memory type;
    ``AxLEN_LOCK`` exclusive accesses of at most 16 beats, ``EXCL_MAX`` 128 bytes, ``EXCL_LEN`` a
    power of two of bytes, ``EXCL_ALIGN`` aligned to them.

    Write data (A3.4.1, A3.4.3): ``WDATA_NUM`` as many beats as AWLEN says, WLAST with the last;
    ``WSTRB`` only byte lanes of the beat.

    Responses (A3.3.1, A5.3, A7.2): ``BRESP_AW`` and ``BRESP_WLAST`` a write response for an ID only
    after an address of that ID and its last data beat; ``RID`` read data only for an outstanding
    read of that ID; ``RDATA_NUM`` as many beats as ARLEN says, RLAST with the last, bursts of one
    ID in order; ``BRESP_EXOKAY`` and ``RRESP_EXOKAY`` only for an exclusive access.

    Ours: ``AUX_x_OUTSTANDING``, ``AUX_x_SAME_ID`` and ``AUX_WDATA_AHEAD`` the observer's tables are
    large enough.

    Parameters
    ----------
    signature:
        The bus.
    name:
        Its name, for the messages: ``s_axi: AXI4_ERRM_WSTRB (A3.4.3): ...``.
    outstanding:
        Bursts that each direction may have outstanding, a power of two; also the bursts of write
        data that may be ahead of their addresses.
    same_id:
        Those of them that may have one ID, a power of two; all by default.
    manager, subordinate:
        The role of each side's rules.
    without:
        Rules to leave out, as in ``"ERRS_RRESP_EXOKAY"``.

    Members
    -------
    bus: In(Signature), all of whose members are inputs
        To be connected by ``observe``.
    idle: Out(1)
        No burst is outstanding (end of test: ``BRESP_ALL_DONE_EOS``, ``RLAST_ALL_DONE_EOS``).
    """

    bus: wiring.PureInterface
    idle: Signal

    def __init__(self, signature: Signature, *, name: str = "axi", outstanding: int = 64,
                 same_id: int | None = None, manager: Role = Role.ASSERT,
                 subordinate: Role = Role.ASSERT, without: Collection[str] = ()):
        self._axi = signature
        self._name = name
        self._outstanding = outstanding
        self._same_id = same_id or outstanding
        self._roles = {"M": manager, "S": subordinate}
        self._without = without
        self._held: dict[str, Signal] = {}
        self._channels = {channel: [field for field in fields
                                    if channel + field in signature.members]
                          for channel, fields in _CHANNELS.items()}
        super().__init__({
            "bus": In(wiring.Signature({
                name: Out(member.shape) for name, member in signature.members.items()})),
            "idle": Out(1),
        })

    def observe(self, m: Module, bus: wiring.PureInterface) -> None:
        """Connect the rules, a submodule of `m`, to an interface with the signature's members."""
        m.d.comb += [getattr(self.bus, name).eq(getattr(bus, name)) for name in self._axi.members]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._enabled = Signal()
        m.d.comb += self._enabled.eq(~ResetSignal(allow_reset_less=True))
        for channel in self._channels:
            self._elaborate_handshake(m, channel)
        for channel in ("aw", "ar"):
            for rule in address_rules(m, self.bus, channel, self._axi.data_bits // 8):
                self._require(m, *rule)
        m.d.comb += self.idle.eq(self._elaborate_writes(m) & self._elaborate_reads(m))
        return m

    # -- helpers -----------------------------------------------------------------------------

    def _require(self, m: Module, condition: ValueLike, rule: str, section: str,
                 text: str) -> None:
        """Add a rule: ``ERRM_...`` of the manager, ``ERRS_...`` of the subordinate."""
        side = "S" if rule.startswith("ERRS") else "M"
        if rule in self._without:
            return
        role, message = self._roles[side], f"{self._name}: AXI4_{rule} ({section}): {text}."
        checked = ~self._enabled | Value.cast(condition).bool()
        if role is Role.ASSERT:
            m.d.sync += Assert(checked, message, src_loc_at=1)
        elif role is Role.ASSUME:
            m.d.sync += Assume(checked, src_loc_at=1)

    # -- one channel -------------------------------------------------------------------------

    def _elaborate_handshake(self, m: Module, channel: str) -> None:
        side = "M" if channel in _MANAGER_CHANNELS else "S"
        valid, ready = getattr(self.bus, channel + "valid"), getattr(self.bus, channel + "ready")
        prefix = f"ERR{side}_{channel.upper()}"
        fresh, held = Signal(init=1, name=f"{channel}_fresh"), Signal(name=f"{channel}_held")
        m.d.sync += [fresh.eq(0), held.eq(valid & ~ready)]
        self._held[channel] = held
        self._require(m, ~(fresh & valid), f"{prefix}VALID_RESET", "A3.1.2",
                      f"{channel.upper()}VALID must be low in the first cycle after reset")
        self._require(m, ~held | valid, f"{prefix}VALID_STABLE", "A3.2.1",
                      f"{channel.upper()}VALID must stay high until {channel.upper()}READY")
        for field in self._channels[channel]:
            now = getattr(self.bus, channel + field)
            before = Signal(now.shape(), name=f"{channel}{field}_before", reset_less=True)
            m.d.sync += before.eq(now)
            name = (channel + field).upper()
            self._require(m, ~held | (now == before), f"ERR{side}_{name}_STABLE", "A3.2.1",
                          f"{name} must stay the same until {channel.upper()}READY")

    # -- bursts ------------------------------------------------------------------------------

    def _queues(self, m: Module, name: str, shape: data.StructLayout | int) -> IdQueues:
        queues = IdQueues(id_bits=self._axi.id_bits, depth=self._same_id, shape=shape)
        m.submodules[name] = queues
        return queues

    def _require_room(self, m: Module, channel: str, queues: IdQueues) -> None:
        if self._same_id < self._outstanding:
            self._require(m, ~queues.push | ~queues.full, f"AUX_{channel.upper()}_SAME_ID", "ours",
                          f"more than {self._same_id} bursts with one ID are outstanding")

    def _count(self, m: Module, channel: str, arrival: Value, departure: Value) -> Value:
        """Count the outstanding bursts of a direction; return whether there is none."""
        count = Signal(range(self._outstanding + 1), name=f"{channel}_outstanding")
        m.d.sync += count.eq(count + arrival - departure)
        self._require(
            m, ~arrival | (count != self._outstanding), f"AUX_{channel.upper()}_OUTSTANDING",
            "ours", f"more than {self._outstanding} bursts are outstanding")
        return count == 0

    def _elaborate_writes(self, m: Module) -> Value:
        bus = self.bus
        lane_bits = (self._axi.data_bits // 8 - 1).bit_length()
        layout = data.StructLayout({
            "address": lane_bits, "length": 8, "size": 3, "burst": 2, "id": self._axi.id_bits})
        fifo_shape = {"width": layout.size, "depth": self._outstanding}
        m.submodules.expected = expected = SyncFIFO(**fifo_shape)  # addresses ahead of their data
        m.submodules.ahead = ahead = SyncFIFO(width=8, depth=self._outstanding)  # the reverse
        addressed = self._queues(m, "addressed", 1)
        written = self._queues(m, "written", 0)

        # An address counts for the data from its first cycle on the bus.
        arrives = Signal()
        address, burst = Signal(layout), Signal(layout)
        beats = Signal(8)  # of the burst now on the channel, before this cycle
        known, transfer, complete = Signal(), Signal(), Signal()
        m.d.comb += [
            arrives.eq(bus.awvalid & ~self._held["aw"]),
            address.address.eq(bus.awaddr), address.length.eq(bus.awlen),
            address.size.eq(bus.awsize), address.burst.eq(bus.awburst), address.id.eq(bus.awid),
            burst.eq(Mux(expected.r_rdy, expected.r_data, address)),
            known.eq(~ahead.r_rdy & (expected.r_rdy | arrives)),
            transfer.eq(bus.wvalid & bus.wready), complete.eq(transfer & bus.wlast),
            expected.r_en.eq(complete & known), expected.w_data.eq(address),
            expected.w_en.eq(arrives & ~ahead.r_rdy & ~(complete & ~expected.r_rdy)),
            ahead.r_en.eq(arrives), ahead.w_data.eq(beats), ahead.w_en.eq(complete & ~known),
            written.push.eq((complete & known) | (arrives & ahead.r_rdy)),
            written.push_id.eq(Mux(ahead.r_rdy, address.id, burst.id)),
            addressed.push.eq(bus.awvalid & bus.awready), addressed.push_id.eq(bus.awid),
            addressed.push_value.eq(bus.awlock),
        ]
        self._require_room(m, "aw", addressed)
        with m.If(transfer):
            m.d.sync += beats.eq(Mux(bus.wlast, 0, beats + 1))

        as_many = "the write data have as many beats as AWLEN says, and WLAST with the last"
        self._require(
            m, ~known | ((beats <= burst.length)
                         & (~bus.wvalid | (bus.wlast == (beats == burst.length)))),
            "ERRM_WDATA_NUM", "A3.4.1", as_many)
        self._require(m, ~(arrives & ahead.r_rdy) | (ahead.r_data == address.length),
                      "ERRM_WDATA_NUM", "A3.4.1", as_many)
        self._require(m, known | ~bus.wvalid | bus.wlast | (beats != 255),
                      "ERRM_WDATA_NUM", "A3.4.1", "a burst has at most 256 beats")
        lanes = byte_lanes(m, burst, beats, self._axi.data_bits // 8)
        self._require(m, ~bus.wvalid | ~known | ((bus.wstrb & ~lanes) == 0),
                      "ERRM_WSTRB", "A3.4.3", "strobes only on the byte lanes of the beat")
        self._require(m, ~ahead.w_en | ahead.w_rdy, "AUX_WDATA_AHEAD", "ours",
                      f"the data of more than {self._outstanding} bursts are ahead of the address")

        answered = bus.bvalid & bus.bready
        for queues in (addressed, written):
            m.d.comb += [queues.id.eq(bus.bid), queues.pop.eq(answered)]
        self._require(m, ~bus.bvalid | addressed.any, "ERRS_BRESP_AW", "A3.3.1",
                      "a write response follows an address with its ID")
        self._require(m, ~bus.bvalid | written.any, "ERRS_BRESP_WLAST", "A3.3.1",
                      "a write response follows the last data beat of a burst with its ID")
        self._require(m, ~bus.bvalid | (bus.bresp != Response.EXOKAY.value) | addressed.front,
                      "ERRS_BRESP_EXOKAY", "A7.2.4",
                      "EXOKAY only answers an exclusive access")
        return self._count(m, "aw", arrives, answered) & ~ahead.r_rdy & (beats == 0)

    def _elaborate_reads(self, m: Module) -> Value:
        bus = self.bus
        open_reads = self._queues(
            m, "open_reads", data.StructLayout({"length": 8, "lock": 1}))
        m.submodules.beats = beats = Memory(shape=8, depth=1 << self._axi.id_bits, init=[])
        write, read = beats.write_port(), beats.read_port(domain="comb")
        begun = Signal(1 << self._axi.id_bits)
        count, transfer, last = Signal(8), Signal(), Signal()
        m.d.comb += [
            open_reads.push.eq(bus.arvalid & bus.arready), open_reads.push_id.eq(bus.arid),
            open_reads.push_value.length.eq(bus.arlen), open_reads.push_value.lock.eq(bus.arlock),
            open_reads.id.eq(bus.rid), open_reads.pop.eq(transfer & bus.rlast),
            transfer.eq(bus.rvalid & bus.rready),
            read.addr.eq(bus.rid), count.eq(Mux(begun.bit_select(bus.rid, 1), read.data, 0)),
            write.addr.eq(bus.rid), write.en.eq(transfer), write.data.eq(count + 1),
            last.eq(count == open_reads.front.length),
        ]
        self._require_room(m, "ar", open_reads)
        with m.If(transfer):
            m.d.sync += begun.eq(Mux(bus.rlast, begun & ~(1 << bus.rid), begun | (1 << bus.rid)))
        self._require(m, ~bus.rvalid | open_reads.any, "ERRS_RID", "A5.3",
                      "read data answer an outstanding read of their ID")
        self._require(m, ~bus.rvalid | ~open_reads.any | (bus.rlast == last), "ERRS_RDATA_NUM",
                      "A3.4.1", "the read data have as many beats as ARLEN says, and RLAST with "
                      "the last")
        self._require(m, ~bus.rvalid | (bus.rresp != Response.EXOKAY.value)
                      | open_reads.front.lock, "ERRS_RRESP_EXOKAY", "A7.2.4",
                      "EXOKAY only answers an exclusive access")
        arrives = bus.arvalid & ~self._held["ar"]
        return self._count(m, "ar", arrives, open_reads.pop)
