"""The golden model: what DRAM holds and what a host reads, byte for byte.

Written from the engine's contract (``docs/formats.md``), not from the RTL. It uses the standard
library, numpy, pycryptodome and :mod:`casemate.config`, and neither Amaranth nor a simulator.

Byte order: a line is 64 bytes and byte 0 lies at the lowest address. Bit 0 of a field is the least
significant bit of the line read as a little-endian integer. AES, XTS, GCM and CMAC take the bytes
in address order, as their standards print them.
"""

from casemate_sim.model.arrays import LeafArray
from casemate_sim.model.engine import GoldenEngine
from casemate_sim.model.errors import AccessError, ExhaustedError, IntegrityError, ModelError
from casemate_sim.model.formats import FormatError, Leaf, Node
from casemate_sim.model.image import Image
from casemate_sim.model.keys import KEY_NAMES, DomainKeys, derive_domain_keys, derive_key
from casemate_sim.model.seal import seal_image
from casemate_sim.model.tree import Tree, find_root

__all__ = [
    "KEY_NAMES", "AccessError", "DomainKeys", "ExhaustedError", "FormatError", "GoldenEngine",
    "Image", "IntegrityError", "Leaf", "LeafArray", "ModelError", "Node", "Tree",
    "derive_domain_keys", "derive_key", "find_root", "seal_image",
]
