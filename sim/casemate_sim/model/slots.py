"""Domain slots and keys of the golden engine, as its slot port and its key port set them."""

from __future__ import annotations

from dataclasses import dataclass, field

from casemate.config import DOMAIN_BITS, EngineConfig

from casemate_sim.model.errors import AccessError, ModelError
from casemate_sim.model.keys import KEY_NAMES

__all__ = ["Slot", "SlotTable"]


@dataclass
class Slot:
    """One domain's modes and keys."""

    valid: bool = False
    domain: int = 0
    encrypt: bool = False
    authenticate: bool = False
    keys: dict[str, bytes] = field(default_factory=dict)

    def key(self, name: str) -> bytes:
        """Return K1, K2 or K3.

        Raises
        ------
        ModelError
            If a key that the domain's mode needs was not loaded.
        """
        for does, needed in (("encrypts", ("K1", "K2") if self.encrypt else ()),
                             ("authenticates", ("K3",) if self.authenticate else ())):
            missing = [key for key in needed if key not in self.keys]
            if missing:
                raise ModelError(f"domain {self.domain} {does} and has no {' and '.join(missing)}")
        return self.keys[name]


class SlotTable:
    """Slots of one engine, and its own key.

    Parameters
    ----------
    config:
        The engine's configuration.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self._slots = [Slot() for _ in range(config.domain_slots)]
        self._engine_key: bytes | None = None

    def load_key(self, slot: int, name: str, key: bytes) -> None:
        """Put `key` into a slot, as the key port does; K4 is the engine's, whatever the slot.

        Raises
        ------
        ModelError
            If there is no such slot or key name, or the key is not of the configured size.
        """
        self._require_slot(slot)
        if name not in KEY_NAMES:
            raise ModelError(f"no key is called {name!r}; there are {', '.join(KEY_NAMES)}")
        if 8 * len(key) != self.config.aes_bits:
            raise ModelError(f"a key of {8 * len(key)} bits; the engine's have "
                             f"{self.config.aes_bits}")
        if name == "K4":
            self._engine_key = bytes(key)
        else:
            self._slots[slot].keys[name] = bytes(key)

    def set_slot(self, slot: int, *, valid: bool = True, domain: int = 0, encrypt: bool = False,
                 authenticate: bool = False) -> None:
        """Say which domain a slot serves and in which mode, as the slot port does.

        Raises
        ------
        ModelError
            If there is no such slot, the domain does not fit 12 bits or has another slot already,
            or domain 0, which as an owner is nobody, is to authenticate.
        """
        self._require_slot(slot)
        if not 0 <= domain < 1 << DOMAIN_BITS:
            raise ModelError(f"domain {domain} does not fit {DOMAIN_BITS} bits")
        if valid and authenticate and domain == 0:
            raise ModelError("domain 0 cannot authenticate: owner 0 is nobody")
        for number, other in enumerate(self._slots):
            if valid and number != slot and other.valid and other.domain == domain:
                raise ModelError(f"domain {domain} is in slot {number} already")
        entry = self._slots[slot]
        entry.valid, entry.domain = valid, domain
        entry.encrypt, entry.authenticate = encrypt, authenticate

    def _require_slot(self, slot: int) -> None:
        if not 0 <= slot < len(self._slots):
            raise ModelError(f"no slot {slot}; the engine has {len(self._slots)}")

    def _require_engine_key(self) -> bytes:
        if self._engine_key is None:
            raise ModelError("leaves and nodes need K4, which was not loaded")
        return self._engine_key

    def _slot_of(self, domain: int, address: int) -> Slot:
        for slot in self._slots:
            if slot.valid and slot.domain == domain:
                return slot
        raise AccessError("no slot holds the domain", address=address, domain=domain)
