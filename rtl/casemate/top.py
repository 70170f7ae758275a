"""The engine as it stands between the last cache and the DRAM controller."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, connect, flipped

from .alert.alert import Alert
from .alert.layouts import strictest
from .axi.lite import LiteSignature
from .config import EngineConfig
from .csr.csr import Csr, Sweep
from .csr.registers import ADDRESS_BITS
from .domain.slots import DomainSlots, slot_layout
from .engine.core import Core
from .engine.host_port import host_signature
from .engine.keys import KeyLoader, key_layout
from .engine.memory_port import memory_signature
from .entropy.words import ENTROPY_BITS
from .fuse.anchor import TrustAnchor
from .fuse.otp import OtpSignature
from .key_manager.layouts import KeyState
from .key_manager.manager import KeyManager
from .key_manager.root_cipher import ROOT_KEY_BITS
from .metadata.root import RootDoor
from .metadata.unit import MetadataUnit

__all__ = ["Casemate"]


class Casemate(wiring.Component):
    """Memory-encryption engine; the modes `integrity` and `full` need a configuration with a tree.

    Resetting it forgets what is in flight, which domain each slot belongs to, and the root: until
    slots are set again, everything is refused, and what was protected by the tree is gone. The
    buses on both sides must be reset with it. DRAM keeps what it holds; a line that was being
    written then is old, new, or, where the DRAM takes a line in parts, a mixture of 16-byte blocks
    of both.

    Members
    -------
    s_axi: In(host_signature(config))
        AXI4 subordinate, the host's side. AWUSER and ARUSER: bits 11..0 are the domain, bit 12 of
        AWUSER is `claim`: take a granule that nobody owns.
    m_axi: Out(memory_signature(config))
        AXI4 manager, the DRAM's side. Whole lines; the host's addresses are the DRAM's.
    key: In(stream.Signature(key_layout(config)))
        Without a key manager: keys on their way in; nothing reads them back.
    slot: In(stream.Signature(slot_layout(config), always_ready=True))
        Without a key manager: settings of the domain slots.
    root_key: In(stream.Signature(256))
        With a key manager, without fuses: see ``KeyManager``.
    otp: Out(OtpSignature())
        With fuses: pins of the fuse macro.
    entropy: In(stream.Signature(32))
        With a key manager: words of entropy, tested ones if there are no fuses.
    tamper: In(1)
        With a key manager: somebody opens the case. Of any clock; high for two cycles or more.
    debug_enable: Out(1)
        With fuses: a debugger may get in: there is no key, in fuses or registers.
    idle: Out(1)
        Nothing is in flight, no key is being expanded: keys and slots may change.
    s_axil: In(LiteSignature(12))
        With a tree, as all that follows: AXI4-Lite subordinate of the registers.
    irq, alert_integrity, alert_fatal: Out(1)
        Levels; see ``Csr`` and ``Alert``.
    """

    key: stream.Interface
    root_key: stream.Interface
    entropy: stream.Interface
    otp: wiring.PureInterface
    slot: stream.Interface
    idle: Signal

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "s_axi": In(host_signature(config)), "m_axi": Out(memory_signature(config)),
            **({
                "key": In(stream.Signature(key_layout(config))),
                "slot": In(stream.Signature(slot_layout(config), always_ready=True)),
            } if config.keys is None else {
                **({"root_key": In(stream.Signature(ROOT_KEY_BITS))} if config.keys.fuses is None
                   else {"otp": Out(OtpSignature()), "debug_enable": Out(1)}),
                "entropy": In(stream.Signature(ENTROPY_BITS)), "tamper": In(1)}),
            "idle": Out(1),
            **({} if config.tree is None else {
                "s_axil": In(LiteSignature(ADDRESS_BITS)), "irq": Out(1),
                "alert_integrity": Out(1), "alert_fatal": Out(1)}),
        })
        self.door = None if config.tree is None else RootDoor(config).create(path=("door",))
        """How a simulation sets and sees the root; no port."""

    @property
    def config(self) -> EngineConfig:
        """The configuration that it was built from."""
        return self._config

    # What is in it; a proof has its own.

    def _core(self) -> Core:
        return Core(self._config)

    def _metadata(self) -> MetadataUnit:
        return MetadataUnit(self._config)

    def _key_manager(self) -> KeyManager:
        return KeyManager(self._config)

    def _trust_anchor(self) -> TrustAnchor:
        return TrustAnchor(self._config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self._core()
        connect(m, flipped(self.s_axi), core.host)
        connect(m, core.memory, flipped(self.m_axi))
        if self._config.keys is not None:
            self._elaborate_keys(m, core)
            return m
        m.submodules.slots = slots = DomainSlots(self._config)
        m.submodules.keys = keys = KeyLoader(self._config)
        connect(m, flipped(self.key), keys.i)
        connect(m, flipped(self.slot), slots.i)
        connect(m, core.read_lookup, slots.read)
        connect(m, core.write_lookup, slots.write)
        connect(m, keys.data, core.data_key)
        connect(m, keys.tweak, core.tweak_key)
        m.d.comb += self.idle.eq(core.idle & keys.idle)
        if self._config.tree is not None:
            self._elaborate_tree(m, core, keys)
        return m

    def _elaborate_keys(self, m: Module, core: Core) -> None:
        """Add what derives the engine's keys."""
        m.submodules.keys = keys = self._key_manager()
        connect(m, core.read_lookup, keys.read)
        connect(m, core.write_lookup, keys.write)
        connect(m, keys.data_key, core.data_key)
        connect(m, keys.tweak_key, core.tweak_key)
        self._elaborate_tree(m, core, keys)
        csr, alert = m.submodules.csr, m.submodules.alert
        connect(m, csr.domain_command, keys.command)
        tampered = Signal()
        m.submodules.tamper = FFSynchronizer(self.tamper, tampered)
        m.d.comb += [
            keys.in_use.eq(core.in_use), keys.loading.eq(core.loading),
            keys.locked.eq(alert.lock), keys.lock_all.eq(self._locked),
            keys.tamper.eq(tampered), alert.keys_lost.eq(keys.alert),
            alert.policies.eq(keys.policies), alert.resident.eq(keys.resident),
            keys.engine_ready.eq(m.submodules.metadata.ready),
            csr.domain_outcome.eq(keys.outcome), csr.key_state.eq(keys.state),
            csr.boot_cycles.eq(keys.boot_cycles),
        ]
        if self._config.keys is not None and self._config.keys.fuses is not None:
            self._elaborate_fuses(m, keys, tampered)
        else:
            connect(m, flipped(self.root_key), keys.root_key)
            connect(m, flipped(self.entropy), keys.entropy)

    def _elaborate_fuses(self, m: Module, keys: KeyManager, tampered: Signal) -> None:
        """Add where root key and boot nonce come from."""
        csr, alert = m.submodules.csr, m.submodules.alert
        m.submodules.anchor = anchor = self._trust_anchor()
        connect(m, anchor.otp, flipped(self.otp))
        connect(m, flipped(self.entropy), anchor.entropy)
        connect(m, anchor.root_key, keys.root_key)
        connect(m, anchor.nonce, keys.entropy)
        connect(m, csr.fuse_command, anchor.command)
        connect(m, anchor.result, csr.fuse_result)
        weakest = anchor.state.weakest_policy
        # The fuses say that there is no secret; here it is seen that none is left.
        m.d.sync += self.debug_enable.eq(
            anchor.debug & (keys.state == KeyState.ERASED) & keys.idle)
        m.d.comb += [
            anchor.tamper.eq(tampered), anchor.locked.eq(alert.lock_all),
            self._locked.eq(alert.lock_all | anchor.erase),
            alert.keys_lost.eq(keys.alert | anchor.alarm),
            alert.policy.eq(strictest(csr.policy, weakest)),
            csr.fuse_state.eq(anchor.state), csr.fuse_identity.eq(anchor.identity),
            csr.fuse_configuration.eq(anchor.configuration), csr.debug.eq(self.debug_enable),
        ]

    def _elaborate_tree(self, m: Module, core: Core, keys: KeyLoader | KeyManager) -> None:
        """Add what authenticates, and what controls it."""
        config = self._config
        m.submodules.metadata = metadata = self._metadata()
        m.submodules.alert = alert = Alert(config)
        m.submodules.csr = csr = Csr(config)
        connect(m, core.tree, metadata.data_path)
        managed = config.keys is not None
        connect(m, keys.tag_key if managed else keys.tag, core.tag_key)
        assert config.tree is not None
        connect(m, keys.node_key if managed else keys.node,
                core.node_key if config.tree.shared_gmac else metadata.round_key)
        connect(m, core.report, alert.report)
        connect(m, metadata.failure, alert.failure)
        connect(m, alert.log, csr.log)
        connect(m, csr.reclaim, metadata.reclaim)
        connect(m, flipped(self.s_axil), csr.axil)
        connect(m, self.door, metadata.door)
        statistics, events = metadata.statistics, csr.events
        self._locked = Signal()  # nothing is possible any more until reset
        lost = Signal()  # the first report that was lost is known
        m.d.sync += lost.eq(core.reports_lost)
        m.d.comb += [
            self.idle.eq(core.idle & keys.idle & metadata.idle),
            core.lock.eq(alert.lock | keys.lock if managed else alert.lock),
            self._locked.eq(alert.lock_all), metadata.locked.eq(self._locked),
            alert.policy.eq(csr.policy),
            metadata.flush.eq(csr.sweep.valid & (csr.sweep.payload == Sweep.FLUSH)),
            metadata.invalidate.eq(csr.sweep.valid & (csr.sweep.payload == Sweep.INVALIDATE)),
            csr.sweep.ready.eq(~metadata.busy), csr.sweeping.eq(metadata.busy),
            csr.reclaiming.eq(~metadata.reclaim.ready),
            csr.reclaim_failed.eq(metadata.reclaim_failed),
            csr.idle.eq(self.idle), csr.ready.eq(metadata.ready),
            csr.engine_locked.eq(self._locked), csr.locked_slots.eq(alert.lock),
            csr.alert_integrity.eq(alert.alert_integrity), csr.alert_fatal.eq(alert.alert_fatal),
            csr.log_lost.eq(alert.log_lost | (core.reports_lost & ~lost)),
            *(getattr(csr, name).eq(getattr(alert, name)) for name in (
                "integrity_error", "access_error", "bus_error", "fatal_error")),
            self.irq.eq(csr.irq), self.alert_integrity.eq(alert.alert_integrity),
            self.alert_fatal.eq(alert.alert_fatal),
        ]
        axi = self.m_axi
        m.d.comb += [
            events.cache_accesses.eq(statistics.access), events.cache_hits.eq(statistics.hit),
            events.evictions.eq(statistics.evicted),
            # The top bit of an ID marks leaves and nodes.
            events.nodes_fetched.eq(axi.arvalid & axi.arready & axi.arid[-1]),
            events.nodes_written.eq(axi.awvalid & axi.awready & axi.awid[-1]),
            events.lines_read.eq(axi.arvalid & axi.arready & ~axi.arid[-1]),
            events.lines_written.eq(axi.awvalid & axi.awready & ~axi.awid[-1]),
        ]
