"""Nothing that can be observed of key manager and registers depends on a key.

Two copies of the key manager, each with its registers, get the same inputs at all times but
different root keys. Everything that leaves them is compared in every cycle: the AXI4-Lite bus,
interrupt and alert, look-ups and locks, all ready and valid signals, and when which round key is
written where, and for whom it was derived; but not what is written. The reset may come at any time.

AES and the derivation are the real ones. One thing is cut: whether K2 equals K1 is a free input
that both copies share. It is observable (an alert, and the keys are erased) and true for one root
key in 2^128.
"""

import pytest
from amaranth import Const, Module, Signal, Value
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.config import CipherConfig, KeyManagerConfig, TreeConfig, preset
from casemate.csr.csr import Csr
from casemate.key_manager.kdf import KdfSignature
from casemate.key_manager.manager import KeyManager
from casemate_sim.formal import SWEEPING, ProofError, assert_formal

CONFIG = preset("tiny").replace(
    domain_slots=2, root_counters=8, keys=KeyManagerConfig(domains=16),
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1,
                    pad_cipher=CipherConfig(pipelined=False)))
SECRET_INPUTS = {("root_key", "payload")}
SECRET_OUTPUTS = {(f"{port}_key", "value") for port in ("data", "tweak", "tag", "node")}
INSIDE = {"command", "outcome", "state", "boot_cycles", "alert"}
BETWEEN = {"domain_outcome", "key_state", "boot_cycles", "domain_command"}


class FreeComparator(wiring.Component):
    """Says whatever the proof wants."""

    def __init__(self, answer):
        self._answer = answer
        super().__init__({"key": In(CONFIG.aes_bits), "keep": In(1), "clear": In(1),
                          "equal": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.equal.eq(self._answer)
        return m


class FreeKdf(wiring.Component):
    """Derives whatever the proof wants, at once; with `slow`, keys that are odd a cycle later.

    For leaks that are to be found: the real one takes hundreds of cycles before its first key.
    """

    def __init__(self, *, slow=False):
        self._slow = slow
        super().__init__({
            "root_key": In(stream.Signature(256)), "nonce": In(stream.Signature(128)),
            "user": In(KdfSignature(CONFIG.aes_bits))})

    def elaborate(self, platform):
        m = Module()
        user, taken, held, late = self.user, Signal(), Signal(), Signal()
        m.d.comb += [
            self.root_key.ready.eq(self.nonce.valid & ~taken),
            self.nonce.ready.eq(self.root_key.valid & ~taken),
            user.ready.eq(taken), user.idle.eq(~held), user.request.ready.eq(taken & ~held),
            user.key.valid.eq(held & ~late),
        ]
        key = Signal(CONFIG.aes_bits)
        m.d.comb += key.eq(AnySeq(CONFIG.aes_bits))
        with m.If(self.root_key.valid & self.nonce.valid):
            m.d.sync += taken.eq(1)
        m.d.sync += late.eq(0)
        with m.If(user.request.valid & user.request.ready):
            m.d.sync += [held.eq(1), user.key.payload.eq(key), late.eq(key[0] & self._slow)]
        with m.If(user.key.valid & user.key.ready):
            m.d.sync += held.eq(0)
        with m.If(user.erase):
            m.d.sync += [taken.eq(0), held.eq(0)]
        return m


class Copy(Elaboratable):
    """Key manager and registers; `leak` is what is done wrong."""

    def __init__(self, equal, leak=None):
        kdf = None if leak is None else FreeKdf(slow=leak == "time")
        self.keys = KeyManager(CONFIG, kdf=kdf, comparator=FreeComparator(equal))
        self.csr = Csr(CONFIG)
        self.alert, self._leak, self._kdf = Signal(), leak, kdf

    def elaborate(self, platform):
        m = Module()
        m.submodules.keys, m.submodules.csr = keys, csr = self.keys, self.csr
        wiring.connect(m, csr.domain_command, keys.command)
        m.d.comb += [
            csr.domain_outcome.eq(keys.outcome), csr.key_state.eq(keys.state),
            csr.boot_cycles.eq(keys.boot_cycles), self.alert.eq(keys.alert)]
        if self._leak == "register":
            m.d.comb += csr.boot_cycles.eq(self._kdf.user.key.payload)
        if self._leak == "alert":
            m.d.comb += self.alert.eq(keys.alert | self._kdf.user.key.payload[77])
        return m

    def ports(self):
        """Yield path, direction and value of all that connects it with the rest."""
        for part, component in (("keys", self.keys), ("csr", self.csr)):
            for path, member, value in component.signature.flatten(component):
                # What the two say to each other is seen on the bus; the alert is wired here.
                inner = INSIDE if part == "keys" else BETWEEN
                if path[0] not in inner:
                    yield (part, *path), member.flow, value
        yield ("keys", "alert"), Out, self.alert
        yield ("kdf", "request"), Out, self.keys.kdf.user.request.payload


class Secrecy(Elaboratable):
    """Two copies that differ in the root key."""

    def __init__(self, leak=None):
        self.equal = Signal()
        self.copies = [Copy(self.equal, leak) for _ in range(2)]

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.equal.eq(AnySeq(1))
        m.submodules.first, m.submodules.second = first, second = self.copies
        compared = 0
        for (path, flow, one), (_, _, other) in zip(first.ports(), second.ports(), strict=True):
            name = path[1:3]
            one, other = Value.cast(one), Value.cast(other)
            if not len(one) or isinstance(one, Const):
                continue
            if flow is In:
                m.d.comb += one.eq(AnySeq(len(one)))
                m.d.comb += other.eq(AnySeq(len(one)) if name in SECRET_INPUTS else one)
            elif name not in SECRET_OUTPUTS:
                m.d.comb += Assert(one == other)
                compared += 1
        assert compared >= 35, compared
        return m


@pytest.mark.parametrize("leak", [
    pytest.param(None, id="real derivation"),
    pytest.param("none", id="any derivation", marks=pytest.mark.verify)])
def test_no_key_is_seen_on_any_register_alert_or_handshake(leak):
    assert_formal(Secrecy(leak), mode="prove", engine=SWEEPING, name=f"secrecy-{leak}",
                  timeout=1200, rows_as_registers=True)


@pytest.mark.parametrize("leak", [
    "register", pytest.param("alert", marks=pytest.mark.verify),
    pytest.param("time", marks=pytest.mark.verify)])
def test_a_leak_would_be_found(leak):
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(Secrecy(leak), mode="bmc", depth=30, engine="abc bmc3",
                      name=f"leak-{leak}", timeout=900, rows_as_registers=True)
