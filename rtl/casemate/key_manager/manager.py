"""The key manager: boots, gives domains their keys, and takes them away."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..aes.signature import RoundKeyWrite
from ..alert.layouts import Policy
from ..config import EngineConfig
from ..domain.slots import LookupSignature
from ..engine.keys import KeyLoader
from ..entropy.words import ENTROPY_BITS
from .commands import command_states
from .domain_table import DomainTable
from .eraser import Eraser
from .filler import Filler
from .kdf import Kdf
from .layouts import KeyCommand, KeyResult, KeyState, command_layout, outcome_layout
from .lifetime import boot_states, wipe_states
from .nonce import NonceCollector
from .registers import After, Parts, Registers
from .root_cipher import ROOT_KEY_BITS
from .slot_table import SlotTable
from .slots import erase_states, fill_states

__all__ = ["BOOT_COUNTER_BITS", "KeyManager"]

BOOT_COUNTER_BITS = 32
"""Width of the counter of boot cycles."""


class KeyManager(wiring.Component):
    """Keeps the root key, the table of domains and the slots.

    It does one thing at a time: an erasure because of a lock goes first, then commands, then
    look-ups that miss. A destruction and a lock interrupt whatever else is going on, which begins
    again behind them. ``docs/keys.md`` counts the cycles.

    Parameters
    ----------
    config:
        The engine's configuration, with ``keys``.
    kdf, comparator:
        For tests and proofs: what derives keys, and what compares K1 with K2.

    Members
    -------
    root_key: In(stream.Signature(256)), entropy: In(stream.Signature(32))
        Taken once. Byte i of the key is bits 8i to 8i+7. The entropy has passed its health tests.
    command: In(stream.Signature(command_layout()))
        Commands; transferred when they are done.
    outcome: Out(outcome_layout())
        Of the last command, from the cycle behind its transfer on.
    read, write: In(LookupSignature(config))
        Look-ups of the data path.
    data_key, tweak_key, tag_key: Out(RoundKeyWrite(domain_slots)), node_key: Out(RoundKeyWrite(1))
        To the ciphers.
    in_use: In(domain_slots), loading: In(1)
        From ``Core``.
    locked: In(domain_slots), lock_all: In(1), tamper: In(1)
        Slots that are locked until reset; the whole engine is; somebody opens the case. The keys
        are erased: of the slots, or all of them.
    lock: Out(domain_slots)
        Slots whose lines in flight must be dropped, because their keys are gone.
    policies: Out(ArrayLayout(Policy, domain_slots)), resident: Out(domain_slots)
        See ``SlotTable``.
    alert: Out(1)
        A pulse: all keys are erased, because of ``tamper`` or because K2 equals K1.
    state: Out(KeyState)
    engine_ready: In(1)
        Everything else is ready too: the boot is over.
    boot_cycles: Out(32)
        Cycles from reset until then.
    idle: Out(1)
        No key is being derived, expanded or erased.
    """

    root_key: stream.Interface
    entropy: stream.Interface
    command: stream.Interface

    def __init__(self, config: EngineConfig, *, kdf: wiring.Component | None = None,
                 comparator: wiring.Component | None = None):
        assert config.keys is not None
        self._config, self._domains = config, config.keys.domains
        self.kdf, self._comparator = kdf or Kdf(aes_bits=config.aes_bits), comparator
        slots = config.domain_slots
        super().__init__({
            "root_key": In(stream.Signature(ROOT_KEY_BITS)),
            "entropy": In(stream.Signature(ENTROPY_BITS)),
            "command": In(stream.Signature(command_layout())), "outcome": Out(outcome_layout()),
            "read": In(LookupSignature(config)), "write": In(LookupSignature(config)),
            **{f"{name}_key": Out(RoundKeyWrite(slots)) for name in ("data", "tweak", "tag")},
            "node_key": Out(RoundKeyWrite(1)),
            "in_use": In(slots), "loading": In(1),
            "locked": In(slots), "lock_all": In(1), "tamper": In(1), "lock": Out(slots),
            "policies": Out(data.ArrayLayout(Policy, slots)), "resident": Out(slots),
            "alert": Out(1), "state": Out(KeyState), "engine_ready": In(1),
            "boot_cycles": Out(BOOT_COUNTER_BITS), "idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, slots = self._config, self._config.domain_slots
        r = Registers(config)
        m.submodules.kdf = kdf = self.kdf
        m.submodules.nonce = nonce = NonceCollector()
        m.submodules.domains = domains = DomainTable(self._domains)
        m.submodules.slots = table = SlotTable(config)
        m.submodules.filler = filler = Filler(config, comparator=self._comparator)
        m.submodules.expansion = expansion = KeyLoader(config)
        m.submodules.eraser = eraser = Eraser(config)
        parts = Parts(kdf, domains, table, filler, expansion, eraser)
        connect(m, flipped(self.entropy), nonce.i)
        connect(m, nonce.o, kdf.nonce)
        connect(m, filler.request, kdf.user.request)
        connect(m, kdf.user.key, filler.derived)
        connect(m, filler.key, expansion.i)
        connect(m, flipped(self.read), table.read)
        connect(m, flipped(self.write), table.write)
        for name in ("data", "tweak", "tag", "node"):
            connect(m, getattr(expansion, name), getattr(eraser, name))
            connect(m, getattr(eraser, f"to_{name}"), flipped(getattr(self, f"{name}_key")))

        dying = Signal()
        m.d.comb += [
            kdf.root_key.valid.eq(self.root_key.valid & ~r.dead),
            kdf.root_key.payload.eq(self.root_key.payload),
            self.root_key.ready.eq(kdf.root_key.ready & ~r.dead),
            dying.eq(self.lock_all | self.tamper | r.equal),
            self.alert.eq((self.tamper | r.equal) & ~r.dead),
            r.to_erase.eq(self.locked & ~r.erased),
            r.urgent.eq(r.dead | r.to_erase.any() | (
                r.missing & self.command.valid
                & (self.command.payload.command == KeyCommand.DESTROY))),
            r.slot_in_use.eq(self.in_use.bit_select(r.slot, 1)),
            table.in_use.eq(self.in_use), table.locked.eq(self.locked | r.draining),
            table.refuse_all.eq(r.dead), table.slot.eq(r.slot),
            table.find.eq(r.domain), domains.domain.eq(r.domain), domains.value.eq(r.following),
            table.setting.domain.eq(r.domain),
            *(table.setting[name].eq(domains.entry[name])
              for name in ("encrypt", "authenticate", "policy")),
            self.policies.eq(table.policies), self.resident.eq(table.resident),
            filler.i.payload.slot.eq(r.slot), filler.i.payload.domain.eq(r.domain),
            filler.i.payload.generation.eq(domains.entry.generation),
            eraser.i.payload.slot.eq(r.slot),
            self.lock.eq(r.draining | r.dead.replicate(slots)),
        ]
        with m.If(dying):
            m.d.sync += r.dead.eq(1)
        m.d.sync += r.draining.eq(r.draining & self.in_use)
        booting = Signal(init=1)
        with m.If(booting):
            m.d.sync += [self.boot_cycles.eq(self.boot_cycles + 1), booting.eq(
                ~(self.engine_ready & (self.state == KeyState.READY)) & ~r.dead)]

        def answer(result: KeyResult) -> None:
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.sync += [self.outcome.as_value().eq(0), self.outcome.result.eq(result)]

        with m.FSM():
            boot_states(m, r, parts, answer, loading=self.loading)
            self._choose(m, r, table)
            command_states(m, r, parts, self.command, self.outcome, self.locked)
            fill_states(m, r, parts, loading=self.loading)
            erase_states(m, r, parts, loading=self.loading)
            wipe_states(m, r, parts, answer, loading=self.loading, idle=self.idle)
        with m.If(r.dead):
            m.d.comb += self.state.eq(KeyState.ERASED)
        with m.Elif(r.booted):
            m.d.comb += self.state.eq(KeyState.READY)
        return m

    def _choose(self, m: Module, r: Registers, table: SlotTable) -> None:
        """Choose what to do, and look up its domain."""
        with m.State("IDLE"):
            m.d.comb += self.idle.eq(~r.dead & ~r.to_erase.any() & ~self.command.valid
                                     & ~table.missing.any())
            channel = Signal()
            # Reads and writes in turn.
            m.d.comb += channel.eq(Mux(table.missing.all(), ~r.channel, table.missing[1]))
            m.d.sync += r.settle.eq(0)
            with m.If(r.dead):
                m.next = "WIPE"
            with m.Elif(r.to_erase.any()):
                for slot in reversed(range(len(r.to_erase))):
                    with m.If(r.to_erase[slot]):
                        m.d.sync += r.slot.eq(slot)
                m.d.sync += r.after.eq(After.LOCK)
                m.next = "ERASE"
            with m.Elif(self.command.valid):
                m.d.sync += [r.domain.eq(self.command.payload.domain), r.missing.eq(0)]
                m.next = "LOOK"
            with m.Elif(table.missing.any()):
                m.d.sync += [
                    r.domain.eq(Mux(channel, table.missing_domain[1],
                                        table.missing_domain[0])),
                    r.missing.eq(1), r.channel.eq(channel)]
                m.next = "LOOK"
        with m.State("LOOK"):
            m.next = "LOOK AGAIN"
        with m.State("LOOK AGAIN"):
            m.next = "COMMAND"
            with m.If(r.missing):
                m.next = "MISS"
