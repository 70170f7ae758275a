"""Blocks of the metadata unit, proven for all time (``abc pdr``)."""

import pytest
from amaranth import Module, ResetSignal, Signal
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume, Elaboratable
from amaranth.lib.wiring import In
from casemate.config import CipherConfig, TreeConfig, preset
from casemate.metadata.entry import NodeEntry, peer_count
from casemate.metadata.pins import Pins
from casemate_sim.formal import assert_formal
from metadata_control import anything

CONFIG = preset("tiny").replace(root_counters=8, write_entries=2, tree=TreeConfig(
    cache_sets=2, cache_ways=2, walks=1, write_backs=1, pad_cipher=CipherConfig(pipelined=False)))


class PinsSpec(Elaboratable):
    """The way of an open write is pinned, from the cycle after its pin until its end."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.pins = pins = Pins(CONFIG)
        entry = AnyConst(len(pins.entry))
        held, place, way = Signal(), Signal.like(pins.set), Signal.like(pins.way)
        m.d.comb += [Assume(~ResetSignal()), pins.entry.eq(entry)]
        anything(m, pins.look_set, pins.pin, pins.pin_entry, pins.pin_set, pins.pin_way,
                 pins.unpin, pins.unpin_entry, pins.cancel, pins.cancel_entry)
        with m.If(pins.pin & (pins.pin_entry == entry)):
            m.d.sync += [held.eq(1), place.eq(pins.pin_set), way.eq(pins.pin_way)]
        with m.Elif((pins.unpin & (pins.unpin_entry == entry))
                    | (pins.cancel & (pins.cancel_entry == entry))):
            m.d.sync += held.eq(0)
        m.d.comb += [
            Assert(~(held & (pins.look_set == place)) | pins.pinned.bit_select(way, 1)),
            Assert(~held | ((pins.set == place) & (pins.way == way))),
        ]
        return m


def test_an_open_write_keeps_its_leaf():
    assert_formal(PinsSpec(), mode="prove", name="pins")


class TrustSpec(Elaboratable):
    """An entry is trusted only with a parent that was, and a MAC that matched or a zero counter."""

    def __init__(self, *, level, write_back):
        self.entry = NodeEntry(CONFIG, level=level, write_back=write_back)

    def elaborate(self, platform):
        m = Module()
        m.submodules.entry = entry = self.entry
        anything(m, *(getattr(entry, name) for name, member in entry.signature.members.items()
                      if member.flow is In))
        n = peer_count(CONFIG)
        born, zero, good, above, parent, waits = (
            Signal(), Signal(), Signal(), Signal(), Signal(range(n)), Signal())
        raised = Signal()
        m.d.comb += [
            Assume(~ResetSignal()),
            Assume(~entry.raised | entry.state.trusted),  # a counter is raised in a trusted one
            Assume(~(entry.allocate & entry.state.active)),
        ]
        with m.If(entry.allocate):
            m.d.sync += [born.eq(~entry.allocate_fetch), zero.eq(0), good.eq(0), above.eq(0),
                         waits.eq(0), raised.eq(0)]
        with m.Else():
            with m.If(waits & entry.peer_trusted.bit_select(parent, 1)):
                m.d.sync += above.eq(1)
            with m.If(entry.counted):
                m.d.sync += [zero.eq(entry.counter_zero), above.eq(entry.parent_trusted),
                             waits.eq(~entry.parent_trusted), parent.eq(entry.parent)]
            with m.If(entry.check):
                m.d.sync += good.eq(entry.check_good)
            with m.If(entry.raised):
                m.d.sync += raised.eq(1)
        m.d.comb += [
            Assert(~entry.state.trusted | born | (above & (zero | good | raised))),
        ]
        return m


@pytest.mark.parametrize("level", range(CONFIG.levels))
@pytest.mark.parametrize("write_back", [False, True])
def test_trust_comes_from_above_and_from_a_check(level, write_back):
    assert_formal(TrustSpec(level=level, write_back=write_back), mode="prove",
                  name=f"trust-{level}-{int(write_back)}")
