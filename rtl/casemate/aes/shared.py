"""One encrypting core for several users: the area of one, and the throughput of one."""

from collections.abc import Mapping

from amaranth import Cat, Module, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from ..config import CipherConfig
from ..streams import in_turn
from .cipher import Direction, create_cipher
from .signature import CipherPort

__all__ = ["SharedCipher"]


class SharedCipher(wiring.Component):
    """Users take turns, block by block, and have keys of their own.

    Latency: that of the core, when nobody else wants it; otherwise up to as many of its
    ``interval`` more as there are other users. A pipeline has a register in front of it, which
    keeps the choice out of its first round: one cycle more, see ``latency``.

    Parameters
    ----------
    config:
        Construction of the core.
    aes_bits:
        Key size: 128 or 256.
    users:
        Port of each, by name.
    erasable:
        See ``create_cipher``.

    Members
    -------
    (name): In(CipherPort)
        For each user. Their round keys do not come in the same cycle.
    """

    def __init__(self, config: CipherConfig, *, aes_bits: int, users: Mapping[str, CipherPort],
                 erasable: bool = False):
        self._config, self._users = config, dict(users)
        widest = max(Shape.cast(port.tag).width for port in users.values())
        self._core = create_cipher(
            config, aes_bits=aes_bits, direction=Direction.ENCRYPT,
            keys=sum(port.keys for port in users.values()),
            tag=data.StructLayout({"user": range(len(users)), "tag": widest}), erasable=erasable)
        super().__init__({name: In(port) for name, port in users.items()})

    @property
    def latency(self) -> int:
        """Cycles from a transfer of a user to its result."""
        return self._core.latency + self._config.pipelined

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = len(self._users)
        ports = [getattr(self, name) for name in self._users]
        m.submodules.core = core = self._core

        waiting = Signal(count)
        m.d.comb += waiting.eq(Cat(port.i.valid for port in ports))
        chosen = in_turn(m, waiting, waiting.any() & core.i.ready)

        made, write = core.o.payload, core.round_key
        given = Signal(core.i.payload.shape())
        # The register takes what there is in every cycle, as a pipeline does; nobody's block is 0.
        domain = m.d.sync if self._config.pipelined else m.d.comb
        domain += [core.i.valid.eq(waiting.any()), core.i.payload.eq(given)]
        first_key = 0
        for number, (port, signature) in enumerate(
                zip(ports, self._users.values(), strict=True)):
            m.d.comb += port.i.ready.eq(core.i.ready & chosen[number])
            with m.If(chosen[number]):
                m.d.comb += [
                    given.block.eq(port.i.payload.block),
                    given.key.eq(first_key + port.i.payload.key),
                    given.tag.user.eq(number), given.tag.tag.eq(Value.cast(port.i.payload.tag)),
                ]
            m.d.comb += [
                port.o.valid.eq(core.o.valid & (made.tag.user == number)),
                port.o.payload.block.eq(made.block),
                Value.cast(port.o.payload.tag).eq(made.tag.tag),
            ]
            with m.If(port.round_key.valid):
                m.d.comb += [
                    write.valid.eq(1), write.key.eq(first_key + port.round_key.key),
                    write.round.eq(port.round_key.round), write.value.eq(port.round_key.value),
                ]
            first_key += signature.keys
        return m
