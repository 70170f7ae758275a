"""The engine keeps the rules of AXI4 at both its buses, whatever host and DRAM do.

Bounded proofs: no rule is broken within so many cycles of reset. ``test_whole_transactions_fit``
shows what fits: with one beat a line, an encrypted read is over in cycle 7, a write in cycle 15, a
read-modify-write in cycle 19 at the earliest. ``make verify`` goes deeper than ``make test``.

What is abstracted, and why that is sound for rules about the buses:

- Each AES core is one that takes and gives blocks whenever it likes and answers with any block at
  all. It does everything that the real core can do, and more.
- The table of domain slots answers each look-up with anything: refused, plain or encrypted, in any
  slot. So every setting of the slots is covered, changes in mid-flight included.
- Key port and key expansion are left out: round keys go to the AES cores only.

What is restricted: IDs have one bit on the host's side (the engine only compares them), and the
host has at most two bursts outstanding in each direction, so that the tables of the rules are
small. Addresses, lengths, sizes, types, locks, strobes, data, responses and the timing of
every channel are free.
"""

import re
from pathlib import Path
from unittest.mock import patch

import pytest
from amaranth import Module, ResetSignal, Signal
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Fragment
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from casemate.aes.signature import RoundKeyWrite
from casemate.axi import rules
from casemate.axi.rules import Role, Rules
from casemate.axi.signature import Response
from casemate.config import preset
from casemate.engine.core import Core
from casemate.engine.host_port import host_signature
from casemate.engine.id_order import IdOrder
from casemate.engine.memory_port import memory_signature
from casemate.streams import Holder
from casemate_sim.formal import ProofError, assert_formal

ENGINE = "abc bmc3"
"""Ten times as fast here as an SMT solver."""

TINY = preset("tiny").replace(id_bits=1)

ONE_BEAT = TINY.replace(data_bits=512)
"""A line is one beat: whole transactions take few cycles."""


class AnyCipher(wiring.Component):
    """Stands for any block cipher with the interface of ``create_cipher``, of any speed."""

    def __init__(self, config, *, aes_bits, direction, keys, tag, erasable=False):
        self._tag = tag
        super().__init__({
            "i": In(stream.Signature(data.StructLayout(
                {"block": 128, "key": range(keys), "tag": tag}))),
            "o": Out(stream.Signature(data.StructLayout({"block": 128, "tag": tag}),
                                      always_ready=True)),
            "round_key": In(RoundKeyWrite(keys)),
        })

    def elaborate(self, platform):
        m = Module()
        full, tag = Signal(), Signal(self._tag)
        m.d.comb += [
            self.o.valid.eq(full & AnySeq(1)), self.i.ready.eq((~full | self.o.valid) & AnySeq(1)),
            self.o.payload.block.eq(AnySeq(128)), self.o.payload.tag.eq(tag),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), tag.eq(self.i.payload.tag)]
        with m.Elif(self.o.valid):
            m.d.sync += full.eq(0)
        return m


class EngineSpec(wiring.Component):
    """The engine with the rules of both buses: its own asserted, its neighbours' assumed.

    Parameters
    ----------
    config:
        The engine's configuration.
    sides:
        Buses whose rules are to be proven: ``host``, ``memory``.
    without:
        Rules that are not proven. What is assumed of the neighbours stays whole.
    traffic:
        What the host does: ``read``, ``write`` or both.
    outstanding:
        Bursts that the host may have outstanding in each direction.
    reset:
        Whether reset may come at any time; otherwise it never comes.
    """

    def __init__(self, config, *, sides=("host", "memory"), without=(),
                 traffic=("read", "write"), outstanding=2, reset=False):
        self._config = config
        self._sides = sides
        self._without = without
        self._traffic = traffic
        self._outstanding = outstanding
        self._reset = reset
        self._encrypt = AnySeq(1)
        super().__init__({
            "host": In(host_signature(config)), "memory": Out(memory_signature(config))})

    def _left_out(self, side):
        return [rule for rule in self._without if rule.startswith(side)]

    def elaborate(self, platform):
        m = Module()
        config = self._config
        engine = Core(config)
        with (patch("casemate.modes.xts.create_cipher", AnyCipher),
              patch("casemate.engine.tweaks.create_cipher", AnyCipher)):
            m.submodules.engine = Fragment.get(engine, platform)
        connect(m, flipped(self.host), engine.host)
        connect(m, engine.memory, flipped(self.memory))
        for lookup in (engine.read_lookup, engine.write_lookup):
            m.d.comb += [
                lookup.known.eq(AnySeq(1)), lookup.slot.eq(AnySeq(len(lookup.slot))),
                lookup.encrypt.eq(self._encrypt),
            ]

        roles = {side: Role.ASSERT if side in self._sides else Role.IGNORE
                 for side in ("host", "memory")}
        m.submodules.host_rules = host = Rules(
            host_signature(config), name="s_axi", outstanding=self._outstanding,
            manager=Role.ASSUME, subordinate=roles["host"], without=self._left_out("ERRS"))
        m.submodules.memory_rules = memory = Rules(
            memory_signature(config), name="m_axi", outstanding=2 * config.read_entries, same_id=1,
            manager=roles["memory"], subordinate=Role.ASSUME, without=self._left_out("ERRM"))
        host.observe(m, engine.host)
        memory.observe(m, engine.memory)
        for kind, valid in (("read", self.host.arvalid), ("write", self.host.awvalid)):
            if kind not in self._traffic:
                m.d.comb += Assume(~valid)
        if not self._reset:
            m.d.comb += Assume(~ResetSignal())
        return m


class NeverDone(EngineSpec):
    """Says that whole transactions do not fit, which is wrong: the assumptions do not forbid them.

    To find it quickly, everybody is ready for everything, the host writes one beat to the first
    line, and every line is encrypted.

    Parameters
    ----------
    config:
        The engine's configuration.
    kind:
        ``read``, ``write`` of a whole line, or ``modify``: a write of some of its bytes.
    """

    def __init__(self, config, kind):
        super().__init__(config, sides=(), traffic=("read" if kind == "read" else "write",))
        self._kind = kind
        self._encrypt = 1

    def elaborate(self, platform):
        m = super().elaborate(platform)
        host, memory = self.host, self.memory
        m.d.comb += [Assume(signal) for signal in (
            host.rready, host.bready, memory.arready, memory.awready, memory.wready)]
        if self._kind == "read":
            self._reads_never(m)
        else:
            self._writes_never(m)
        return m

    def _reads_never(self, m):
        host = self.host
        reads, first_id, second_id, done = Signal(2), Signal(), Signal(), Signal()
        with m.If(host.arvalid & host.arready):
            m.d.sync += [reads.eq(reads + 1), first_id.eq(second_id), second_id.eq(host.arid)]
        m.d.comb += [
            done.eq(host.rvalid & host.rlast & (host.rresp == Response.OKAY.value)),
            # The younger one comes first, which no rule but the order of an ID could forbid.
            Assert(~(done & (reads == 2) & (first_id != second_id) & (host.rid == second_id))),
        ]

    def _writes_never(self, m):
        host, memory = self.host, self.memory
        accepted, filled, stored = Signal(), Signal(), Signal()
        whole = self._kind == "write"
        m.d.comb += [
            Assume(host.awaddr == 0), Assume(host.awlen == 0), Assume(~(accepted & host.awvalid)),
            Assume(host.wstrb.all() if whole else host.wstrb == 5),
            Assert(~(host.bvalid & (host.bresp == Response.OKAY.value) & stored
                     & (~filled if whole else filled))),
        ]
        with m.If(host.awvalid & host.awready):
            m.d.sync += accepted.eq(1)
        with m.If(memory.arvalid):
            m.d.sync += filled.eq(1)
        with m.If(memory.bvalid):
            m.d.sync += stored.eq(1)


CONFIGS = {"tiny": TINY, "one_beat": ONE_BEAT}


@pytest.mark.parametrize(("config", "traffic", "depth"), [
    ("tiny", ("read", "write"), 10),
    ("one_beat", ("write",), 12),
])
def test_no_rule_is_broken(config, traffic, depth):
    assert_formal(EngineSpec(CONFIGS[config], traffic=traffic), depth=depth, engine=ENGINE)


def test_no_rule_is_broken_when_reset_comes_at_any_time():
    assert_formal(EngineSpec(TINY, reset=True), depth=9, engine=ENGINE)


@pytest.mark.verify
@pytest.mark.deep
@pytest.mark.parametrize(("config", "traffic", "depth"), [
    ("tiny", ("read", "write"), 14),
    ("tiny", ("write",), 18),
    ("one_beat", ("read", "write"), 14),
    ("one_beat", ("write",), 17),
])
def test_no_rule_is_broken_for_longer(config, traffic, depth):
    assert_formal(EngineSpec(CONFIGS[config], traffic=traffic), depth=depth, engine=ENGINE,
                  timeout=4 * 3600)


@pytest.mark.parametrize(("config", "kind", "depth"), [
    ("tiny", "read", 9), ("one_beat", "modify", 21),
    pytest.param("one_beat", "write", 17, marks=pytest.mark.verify)])
def test_whole_transactions_fit(config, kind, depth):
    with pytest.raises(ProofError, match=r"assertion fails\n  at \S*test_axi_rules\.py:"):
        assert_formal(NeverDone(CONFIGS[config], kind), depth=depth, engine=ENGINE)


class Wire(Holder):
    """A holder that holds nothing."""

    def elaborate(self, platform):
        m = Module()
        connect(m, flipped(self.i), flipped(self.o))
        return m


class NoOrder(IdOrder):
    """Nobody waits for anybody."""

    def elaborate(self, platform):
        return Module()


@pytest.mark.parametrize(("part", "bug", "broken"), [
    ("casemate.engine.memory_port.Holder", Wire, {"_STABLE"}),
    ("casemate.engine.read_return.IdOrder", NoOrder, {"ERRS_RDATA_NUM"}),
])
def test_a_seeded_bug_is_found(part, bug, broken):
    with patch(part, bug), pytest.raises(ProofError, match="assertion fails") as caught:
        assert_formal(EngineSpec(TINY), depth=11, engine=ENGINE)
    source = Path(rules.__file__).read_text().splitlines()
    lines = [source[int(number) - 1] for number in re.findall(r"rules\.py:(\d+)",
                                                              str(caught.value))]
    assert lines
    for line in lines:
        assert any(rule in line for rule in broken), line
