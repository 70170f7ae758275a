# amaranth: UnusedElaboratable=no
"""Two engines with fuses, side by side: alike but for the fuses' secret and the words of entropy.

What is real, in each: all of ``Casemate`` but its data path and the keeper of the metadata, which
get round keys and give none back. They are free, and do the same in both engines; so is the fuse
macro. Whether K2 equals K1 and what the health tests of the entropy find is free too, and the same.
"""

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.asserts import AnySeq
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.config import CipherConfig, FuseConfig, KeyManagerConfig, TreeConfig, preset
from casemate.engine.core import Core
from casemate.entropy.health import HealthTests
from casemate.fuse.anchor import TrustAnchor
from casemate.fuse.controller import FuseController
from casemate.fuse.digest import Digest
from casemate.fuse.map import SECRET
from casemate.fuse.port import OtpPort
from casemate.fuse.registers import Step
from casemate.key_manager.filler import KeyComparator
from casemate.key_manager.manager import KeyManager
from casemate.metadata.unit import MetadataUnit
from casemate.top import Casemate

CONFIG = preset("tiny").replace(
    domain_slots=2, root_counters=8,
    keys=KeyManagerConfig(domains=16, fuses=FuseConfig(check_bits=2, patience_bits=4)),
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1,
                    pad_cipher=CipherConfig(pipelined=False)))


def ports(component, flow):
    """Yield path and value of all ports of a direction that are signals."""
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if member.flow is flow and len(value) and not isinstance(value, Const):
            yield path, value


class Free(wiring.Component):
    """A component with the ports of another; its outputs do what the proof wants.

    Parameters
    ----------
    like:
        The other.
    shared:
        The other engine's: it does the same.
    """

    def __init__(self, like, shared=None):
        super().__init__(dict(like.signature.members.items()))
        self._shared = shared
        self.choices = shared.choices if shared else {
            path: Signal(len(value), name="_".join(map(str, path)))
            for path, value in ports(self, Out)}

    def elaborate(self, platform):
        m = Module()
        for path, value in ports(self, Out):
            m.d.comb += value.eq(self.choices[path])
            if self._shared is None:
                m.d.comb += self.choices[path].eq(AnySeq(len(value)))
        return m


class FreeDigest(wiring.Component):
    """Ends when the proof wants; the digest is the engine's own if the words were the secret's."""

    def __init__(self, shared=None):
        super().__init__(dict(Digest().signature.members.items()))
        self._shared = shared
        self.choices = shared.choices if shared else {
            path: Signal(len(value)) for path, value in ports(self, Out)}
        self.of_secret = Signal()

    def elaborate(self, platform):
        m = Module()
        with m.If(self.start):
            m.d.sync += self.of_secret.eq(self.number == SECRET.number)
        with m.If(self.clear):
            m.d.sync += self.of_secret.eq(0)
        for path, value in ports(self, Out):
            chosen = self.choices[path]
            own = path == ("digest",)
            m.d.comb += value.eq(Mux(self.of_secret, AnySeq(len(value)), chosen) if own else chosen)
            if self._shared is None:
                m.d.comb += chosen.eq(AnySeq(len(value)))
        return m


class FollowingPort(OtpPort):
    """The port of the second engine: a word that was programmed fails to hold it in both, or none.

    Where both have read the same word, it answers what the other does. What the code says of equal
    words is equal; the solver need not compare two decoders.
    """

    def __init__(self, leader, may_differ, **options):
        super().__init__(**options)
        self._leader, self._may_differ = leader, may_differ

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.response.failed.eq(self._leader.response.failed)
        if self._may_differ is not None:
            with m.If(~self._may_differ):
                m.d.comb += [self.response[name].eq(self._leader.response[name]) for name in (
                    "raw", "data", "corrected", "bad", "blank", "erased")]
        return m


class Anchor(TrustAnchor):
    """The trust anchor: words of entropy are its own, but for the one that seeds the timer."""

    def __init__(self, controller, shared, may_differ):
        super().__init__(CONFIG)
        options = CONFIG.keys.fuses
        digest = FreeDigest(shared and shared.fuses.digest)

        class Fuses(controller):
            def _parts(self):
                if shared is None:
                    return OtpPort(patience_bits=options.patience_bits), digest
                return FollowingPort(shared.fuses.port, may_differ and may_differ["raw"],
                                     patience_bits=options.patience_bits), digest

            def elaborate(self, platform):
                m = super().elaborate(platform)
                if shared:  # a root key that is zero is not offered; both are zero, or none
                    m.d.comb += self.root_key.valid.eq(shared.fuses.root_key.valid)
                if shared and may_differ:  # as in the port, for the check bits of equal words
                    with m.If((self.registers.step == Step.STORE) & ~may_differ["word"]):
                        m.d.comb += self.port.request.payload.word.eq(
                            shared.fuses.port.request.payload.word)
                return m

        self.fuses = Fuses(check_bits=options.check_bits, patience_bits=options.patience_bits)
        self.health = Free(HealthTests(), shared and shared.health)
        self.seed = shared.seed if shared else Signal(32)
        self._shared = shared

    def _parts(self):
        return self.fuses, self.health

    def elaborate(self, platform):
        m = super().elaborate(platform)
        if self._shared is None:
            m.d.comb += self.seed.eq(AnySeq(32))
        m.d.comb += [
            self.nonce.payload.eq(AnySeq(32)),
            # Only there the controller does not draw, and the timer takes a word.
            self.fuses.entropy.payload.eq(
                Mux(self.fuses.registers.step == Step.RUN, self.seed, AnySeq(32))),
        ]
        return m


class Engine(Casemate):
    """An engine in which what the module's text says is free."""

    def __init__(self, controller, shared=None, may_differ=None):
        super().__init__(CONFIG)
        self.free_core = Free(Core(CONFIG), shared and shared.free_core)
        self.free_metadata = Free(MetadataUnit(CONFIG), shared and shared.free_metadata)
        self.comparator = Free(KeyComparator(CONFIG.aes_bits), shared and shared.comparator)
        self.key_manager = KeyManager(CONFIG, comparator=self.comparator)
        self.trust_anchor = Anchor(controller, shared and shared.trust_anchor, may_differ)

    def _core(self):
        return self.free_core

    def _metadata(self):
        return self.free_metadata

    def _key_manager(self):
        return self.key_manager

    def _trust_anchor(self):
        return self.trust_anchor

    def seen(self):
        """Yield name and value of all that can be observed.

        That is what leaves the engine, what reaches data path and metadata but for the round keys,
        and what the key manager derives keys for.
        """
        for name, part, flow in (("engine", self, Out), ("core", self.free_core, In),
                                 ("metadata", self.free_metadata, In)):
            for path, value in ports(part, flow):
                if path[-1] != "value" and path[-2:] != ("otp", "program_data"):
                    yield "_".join(map(str, (name, *path))), value
        yield "kdf_request", Value.cast(self.key_manager.kdf.user.request.payload)
        # What is programmed, unless it belongs to the secret.
        yield "programmed", Mux(self.secret, 0, self.otp.program_data)

    @property
    def secret(self):
        """Whether the macro is asked for a word of the secret, or is to program one."""
        return (self.otp.address >= SECRET.base) & (self.otp.address < SECRET.end)


class TwoEngines(Elaboratable):
    """Both, with the same inputs; the macro has other words for each where the secret is.

    Parameters
    ----------
    controller:
        Of the fuses.
    may_differ:
        For an induction: signals that say when the words ``raw``, read by the port, and ``word``,
        to be programmed, may differ.
    """

    def __init__(self, controller=FuseController, may_differ=None):
        self.first = Engine(controller)
        self.second = Engine(controller, self.first, may_differ)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first, m.submodules.second = first, second = self.first, self.second
        for (path, one), (_, other) in zip(ports(first, In), ports(second, In), strict=True):
            same = AnySeq(len(one))
            for engine, value in ((first, one), (second, other)):
                own = path == ("otp", "data")
                m.d.comb += value.eq(Mux(engine.secret, AnySeq(len(one)), same) if own else same)
        return m

    def differences(self):
        """Yield the name of all that can be observed, and whether it differs."""
        for (name, one), (_, other) in zip(self.first.seen(), self.second.seen(), strict=True):
            yield name, one != other
