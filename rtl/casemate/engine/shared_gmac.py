"""One GMAC for lines from DRAM, lines to DRAM, and leaves and nodes."""

from amaranth import Module, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig
from ..metadata.interface import node_gmac_port
from ..modes.gmac import Gmac
from .sealer import line_seal_port
from .verifier import line_check_port

__all__ = ["SharedGmac"]


class _User(enum.Enum, shape=2):
    """Whose item it is."""

    CHECK = 0
    SEAL = 1
    NODE = 2


class SharedGmac(wiring.Component):
    """Lets three users take turns: a third of the area of one unit for each of them.

    DRAM moves one row in a cycle, in one direction, which is what a unit hashes. Rows to be sealed
    go first, because they cannot wait; then those of leaves and nodes. Pads are made in turn.

    Members
    -------
    check: In(line_check_port(config)), seal: In(line_seal_port(config))
        Rows to be sealed are accepted whenever the unit can take a row.
    node: In(node_gmac_port(config))
    crowded: Out(1)
        A row had to wait for one to be sealed: no more of these for a while, please. A register.
    tag_key: In(RoundKeyWrite(domain_slots)), loaded: Out(domain_slots)
        K3.
    node_key: In(RoundKeyWrite(1)), node_loaded: Out(1)
        K4; not in a cycle with a write of K3.
    cipher: Out(CipherPort)
        With a shared cipher: the core that makes the pads.
    """

    check: wiring.PureInterface
    seal: wiring.PureInterface
    node: wiring.PureInterface
    tag_key: wiring.PureInterface
    node_key: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, tree = config, config.tree
        slots = config.domain_slots
        self._check_entries, self._seal_entries = 2**config.entry_id_bits, config.write_entries
        self._gmac = Gmac(
            tree.pad_cipher, aes_bits=config.aes_bits, lanes=config.lanes, keys=slots + 1,
            entries=self._check_entries + self._seal_entries + config.node_entries,
            stages=tree.multiplier_stages, erasable=config.keys is not None,
            tag=data.StructLayout({"user": _User, "detail": 2}),
            own_cipher=not tree.shared_cipher)
        super().__init__({
            "check": In(line_check_port(config)), "seal": In(line_seal_port(config)),
            "node": In(node_gmac_port(config)), "crowded": Out(1),
            "tag_key": In(RoundKeyWrite(config.domain_slots)), "loaded": Out(config.domain_slots),
            "node_key": In(RoundKeyWrite(1)), "node_loaded": Out(1),
            **({"cipher": Out(self._gmac.cipher.signature)} if tree.shared_cipher else {}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, slots = self._config, self._config.domain_slots
        check_entries, seal_entries = self._check_entries, self._seal_entries
        m.submodules.gmac = gmac = self._gmac
        assert config.tree is not None
        if config.tree.shared_cipher:
            wiring.connect(m, gmac.cipher, wiring.flipped(self.cipher))
        # An item of a user: its port, where its entries begin, and the key that it has.
        users = {
            _User.CHECK: (self.check, 0, None),
            _User.SEAL: (self.seal, check_entries, None),
            _User.NODE: (self.node, check_entries + seal_entries, slots),
        }

        # Rows, by precedence.
        given = gmac.row.payload
        m.d.comb += [
            self.seal.row.ready.eq(gmac.row.ready),
            self.node.row.ready.eq(gmac.row.ready & ~self.seal.row.valid),
            self.check.row.ready.eq(self.node.row.ready & ~self.node.row.valid),
        ]
        for user in (_User.CHECK, _User.NODE, _User.SEAL):  # the last one that wants to, does
            port, first, key = users[user]
            row = port.row.payload
            with m.If(port.row.valid):
                m.d.comb += [
                    gmac.row.valid.eq(1),
                    *(given[name].eq(row[name])
                      for name in ("data", "row", "node", "first", "last")),
                    given.key.eq(row.key if key is None else key),
                    given.entry.eq(first + row.entry),
                    given.tag.user.eq(user), given.tag.detail.eq(row.tag),
                ]
        m.d.sync += self.crowded.eq(
            self.seal.row.valid & (self.node.row.valid | self.check.row.valid))

        # Pads, in turn.
        order = tuple(users)
        last, chosen = Signal(_User), Signal(_User)
        with m.Switch(last):
            for place, user in enumerate(order):
                with m.Case(user):
                    for ahead in (len(order), 2, 1):
                        candidate = order[(place + ahead) % len(order)]
                        with m.If(users[candidate][0].request.valid):
                            m.d.comb += chosen.eq(candidate)
        request = gmac.request.payload
        with m.Switch(chosen):
            for user, (port, first, key) in users.items():
                wanted = port.request.payload
                with m.Case(user):
                    m.d.comb += [
                        gmac.request.valid.eq(port.request.valid),
                        port.request.ready.eq(gmac.request.ready),
                        *(request[name].eq(wanted[name]) for name in ("kind", "counter", "index")),
                        request.key.eq(wanted.key if key is None else key),
                        request.entry.eq(first + wanted.entry),
                    ]
        with m.If(gmac.request.valid & gmac.request.ready):
            m.d.sync += last.eq(chosen)

        made = gmac.o.payload
        for user, (port, first, _) in users.items():
            m.d.comb += [
                port.o.valid.eq(gmac.o.valid & (made.tag.user == user)),
                port.o.payload.mac.eq(made.mac), port.o.payload.entry.eq(made.entry - first),
                port.o.payload.tag.eq(made.tag.detail),
            ]

        m.d.comb += [self.loaded.eq(gmac.loaded[:slots]), self.node_loaded.eq(gmac.loaded[slots])]
        write = gmac.round_key
        for source, key in ((self.tag_key, self.tag_key.key), (self.node_key, slots)):
            with m.If(source.valid):
                m.d.comb += [write.valid.eq(1), write.key.eq(key), write.round.eq(source.round),
                             write.value.eq(source.value)]
        return m
