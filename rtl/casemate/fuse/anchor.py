"""The trust anchor: fuses and entropy, and the one decision whether the engine may have keys."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..alert.layouts import Policy
from ..config import EngineConfig
from ..entropy.health import HealthTests
from ..entropy.words import ENTROPY_BITS
from .codes import FailurePolicy, KeySize, LifeCycle
from .controller import FuseController
from .digest import MESSAGE_BITS
from .otp import OtpSignature
from .registers import Result, command_layout, configuration_layout, identity_layout, one_of

__all__ = ["TrustAnchor", "state_layout"]


def state_layout() -> data.StructLayout:
    """Layout of what software may know of the anchor; nothing of it is secret.

    ``ready``, ``alert``, ``life_cycle``: of ``FuseController``. ``entropy_tested``,
    ``entropy_alert``: of ``HealthTests``. ``key_refused``: the fuses ask for larger keys than the
    engine has. ``weakest_policy``: what an integrity error locks at least.
    """
    return data.StructLayout({
        "ready": 1, "alert": 1, "entropy_tested": 1, "entropy_alert": 1, "key_refused": 1,
        "weakest_policy": Policy, "life_cycle": LifeCycle})


class TrustAnchor(wiring.Component):
    """Fuse controller, health tests of the entropy, and who gets the words.

    A word of entropy is taken while the start-up tests run, and then only when somebody waits for
    one, so that a test that fails by chance is as rare as words are used. The nonce comes first.

    The root key is handed over unless the fuses ask for larger keys than the engine has, or the
    engine is locked: then it is dropped, and is gone until reset.

    Parameters
    ----------
    config:
        The engine's configuration, with ``keys.fuses``.

    Members
    -------
    otp: Out(OtpSignature())
    entropy: In(stream.Signature(32))
        From the source, untested.
    tamper: In(1), locked: In(1)
        Somebody opens the case; the whole engine is locked. Both of this clock.
    command: In(stream.Signature(command_layout())), result: Out(stream.Signature(Result))
        See ``FuseController``.
    root_key: Out(stream.Signature(256)), nonce: Out(stream.Signature(32))
        To the key manager; words of ``nonce`` have passed the tests.
    alarm: Out(1)
        A pulse: the fuses raise the alarm, a test of the entropy has failed, or the root key was
        refused.
    erase: Out(1)
        Level, until reset: no key may be in the engine. So it is with an alarm, behind a change of
        the state of life, and from the end of the checks on in a state that has no root key.
    debug: Out(1)
        See ``FuseController``.
    state: Out(state_layout()), identity: Out(identity_layout()),
    configuration: Out(configuration_layout())
        For software to read.
    """

    otp: wiring.PureInterface
    entropy: stream.Interface
    command: stream.Interface
    result: stream.Interface
    root_key: stream.Interface
    nonce: stream.Interface

    def __init__(self, config: EngineConfig):
        assert config.keys is not None and config.keys.fuses is not None
        self._aes_bits, self._fuses = config.aes_bits, config.keys.fuses
        super().__init__({
            "otp": Out(OtpSignature()), "entropy": In(stream.Signature(ENTROPY_BITS)),
            "tamper": In(1), "locked": In(1),
            "command": In(stream.Signature(command_layout())),
            "result": Out(stream.Signature(Result)),
            "root_key": Out(stream.Signature(MESSAGE_BITS)),
            "nonce": Out(stream.Signature(ENTROPY_BITS)),
            "alarm": Out(1), "erase": Out(1), "debug": Out(1), "state": Out(state_layout()),
            "identity": Out(identity_layout()), "configuration": Out(configuration_layout()),
        })

    def _parts(self) -> tuple[FuseController, HealthTests]:
        """Create controller and health tests; a proof has its own."""
        options = self._fuses
        return (FuseController(check_bits=options.check_bits, patience_bits=options.patience_bits),
                HealthTests(entropy=options.entropy_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fuses, health = self._parts()
        m.submodules.fuses, m.submodules.health = fuses, health
        connect(m, fuses.otp, flipped(self.otp))
        connect(m, flipped(self.command), fuses.command)
        connect(m, fuses.result, flipped(self.result))
        wanted = Signal()
        tested = health.o
        m.d.comb += [
            wanted.eq(~health.alert & (~health.tested | ~tested.valid)),
            health.i.valid.eq(self.entropy.valid & wanted),
            health.i.payload.eq(self.entropy.payload), self.entropy.ready.eq(wanted),
            self.nonce.valid.eq(tested.valid), self.nonce.payload.eq(tested.payload),
            fuses.entropy.valid.eq(tested.valid & ~self.nonce.ready),
            fuses.entropy.payload.eq(Mux(self.nonce.ready, 0, tested.payload)),
            tested.ready.eq(self.nonce.ready | fuses.entropy.ready),
        ]

        refused, keyless, drop = Signal(), Signal(), Signal()
        alarmed, was_alarmed = Signal(), Signal()
        keyed = one_of(fuses.life_cycle, LifeCycle.PROVISIONED, LifeCycle.PRODUCTION)
        large = (self._aes_bits == 256) | (fuses.configuration.key_size == KeySize.AES_128.value)
        m.d.comb += [
            fuses.tamper.eq(self.tamper),
            refused.eq(fuses.ready & keyed & ~large), keyless.eq(fuses.ready & ~keyed),
            drop.eq(refused | health.alert | self.locked),
            self.root_key.valid.eq(fuses.root_key.valid & ~drop),
            self.root_key.payload.eq(Mux(drop, 0, fuses.root_key.payload)),
            fuses.root_key.ready.eq(self.root_key.ready | drop),
            alarmed.eq(fuses.alert | health.alert | refused),
            self.alarm.eq(alarmed & ~was_alarmed),
            self.erase.eq(fuses.erase | health.alert | refused | keyless),
            self.debug.eq(fuses.debug),
            self.identity.eq(fuses.identity), self.configuration.eq(fuses.configuration),
            self.state.ready.eq(fuses.ready), self.state.alert.eq(fuses.alert),
            self.state.entropy_tested.eq(health.tested),
            self.state.entropy_alert.eq(health.alert), self.state.key_refused.eq(refused),
            self.state.life_cycle.eq(fuses.life_cycle),
            self.state.weakest_policy.eq(Policy.LOCK_ENGINE),
        ]
        m.d.sync += was_alarmed.eq(was_alarmed | alarmed)
        for code, policy in ((FailurePolicy.REPORT, Policy.REPORT_ONLY),
                             (FailurePolicy.LOCK_DOMAIN, Policy.LOCK_DOMAIN)):
            with m.If(fuses.configuration.policy == code.value):
                m.d.comb += self.state.weakest_policy.eq(policy)
        return m
