"""The core with its slots and keys, as one simulated component."""

import functools
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from casemate.config import CipherConfig, SBox, TreeConfig, preset
from casemate.domain.slots import DomainSlots, slot_layout
from casemate.engine import parking, write_buffer, write_sender
from casemate.engine.core import Core
from casemate.engine.host_port import host_signature
from casemate.engine.keys import KeyLoader, key_layout
from casemate.engine.memory_port import memory_signature
from casemate.engine.reports import report_layout
from casemate.metadata.interface import MetadataSignature
from casemate_sim.component import NativeComponent

ITERATIVE = CipherConfig(pipelined=False)
PIPELINED = CipherConfig(rounds_per_stage=2)
DEEP = CipherConfig(registers_per_round=2, sbox=SBox.BLOCK_RAM)
SLOW_TREE = TreeConfig(cache_sets=1, cache_ways=2, walks=2, write_backs=1, pad_cipher=ITERATIVE)
FAST_TREE = replace(SLOW_TREE, pad_cipher=PIPELINED)
TINY = replace(preset("tiny"), domain_slots=4, data_cipher=ITERATIVE, tweak_cipher=ITERATIVE,
               tree=SLOW_TREE)
LATENCY = replace(
    TINY, read_entries=16, write_entries=16, write_bursts=16, data_cipher=CipherConfig(),
    tweak_cipher=CipherConfig(), tree=replace(SLOW_TREE, pad_cipher=CipherConfig()))

CONFIGURATIONS = {
    "tiny": TINY,
    "pipelined": replace(
        TINY, read_entries=8, write_entries=8, data_cipher=PIPELINED, tweak_cipher=PIPELINED,
        tree=FAST_TREE),
    "narrow": replace(TINY, data_bits=64, register_requests=True, data_cipher=PIPELINED,
                      tree=replace(SLOW_TREE, multiplier_stages=3)),
    "wide": replace(TINY, data_bits=512, domain_slots=2, write_entries=8, aes_bits=256),
    "latency": LATENCY,
    "deep": replace(
        LATENCY, data_cipher=DEEP,
        tweak_cipher=replace(ITERATIVE, units=3),
        tree=replace(SLOW_TREE, pad_cipher=replace(ITERATIVE, units=3), multiplier_stages=3,
                     shared_gmac=True)),
    # One core encrypts rows, tweaks and pads.
    "small": replace(TINY, domain_slots=2, tree=replace(
        SLOW_TREE, walks=1, multiplier_stages=1, shared_gmac=True, shared_cipher=True)),
    # One pipeline does.
    "one_pipeline": replace(
        LATENCY, data_cipher=DEEP, tweak_cipher=DEEP, tree=replace(
            SLOW_TREE, pad_cipher=DEEP, multiplier_stages=3, shared_gmac=True,
            shared_cipher=True)),
    # Fast enough that lines on their way to DRAM could keep the one GMAC for themselves.
    "shared": replace(
        TINY, read_entries=16, write_entries=16, write_bursts=16,
        tree=replace(FAST_TREE, multiplier_stages=1, shared_gmac=True)),
}


class Bench(wiring.Component):
    def __init__(self, config):
        self.config = config
        super().__init__({
            "host": In(host_signature(config)), "memory": Out(memory_signature(config)),
            "tree": Out(MetadataSignature(config)),
            "key": In(stream.Signature(key_layout(config))),
            "slot": In(stream.Signature(slot_layout(config), always_ready=True)),
            "lock": In(config.domain_slots),
            "report": Out(stream.Signature(report_layout(config))), "reports_lost": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = Core(self.config)
        m.submodules.slots = slots = DomainSlots(self.config)
        m.submodules.keys = keys = KeyLoader(self.config)
        connect(m, flipped(self.host), core.host)
        connect(m, core.memory, flipped(self.memory))
        connect(m, core.tree, flipped(self.tree))
        connect(m, core.report, flipped(self.report))
        connect(m, flipped(self.key), keys.i)
        connect(m, flipped(self.slot), slots.i)
        connect(m, core.read_lookup, slots.read)
        connect(m, core.write_lookup, slots.write)
        connect(m, keys.data, core.data_key)
        connect(m, keys.tweak, core.tweak_key)
        connect(m, keys.tag, core.tag_key)
        m.d.comb += [core.lock.eq(self.lock), self.reports_lost.eq(core.reports_lost),
                     self.idle.eq(core.idle & keys.idle)]
        return m


def read_uncertainly(m, memory, address, enable):
    """Stand in for ``rams.read_next``: a row that is read while it is written is wrong.

    A block RAM may do that; what uses such a row is seen.
    """
    port = memory.read_port(domain="comb")
    row = Signal.like(port.data, reset_less=True)
    hit = Cat(write.en.any() & (write.addr == address) for write in memory.write_ports).any()
    m.d.comb += port.addr.eq(address)
    with m.If(enable):
        m.d.sync += row.eq(port.data ^ hit.replicate(len(row)))
    return row


@functools.cache
def built(name):
    with ExitStack() as patches:
        for user in (parking, write_buffer, write_sender):
            patches.enter_context(patch.object(user, "read_next", read_uncertainly))
        return NativeComponent(Bench(CONFIGURATIONS[name]))
