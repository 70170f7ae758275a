"""Leaf and node: the bit positions of the contract, round trips, and what is refused."""

from __future__ import annotations

import re

import pytest
from casemate.config import LeafShape
from casemate_sim.model import FormatError, Leaf, Node
from casemate_sim.model.crypto import gmac
from casemate_sim.model.tags import initialization_vector, line_tag, metadata_mac
from hypothesis import given
from hypothesis import strategies as st

FIELDS = {  # field: (first bit, bits), from the contract's table
    "versions[0]": (0, 52), "versions[3]": (156, 52), "tags[0]": (208, 56), "tags[3]": (376, 56),
    "owner": (432, 12), "valid[0]": (444, 1), "valid[3]": (447, 1), "mac": (448, 64),
}


def leaf_with(field: str, value: int) -> Leaf:
    values: dict[str, object] = {"versions": [0] * 4, "tags": [0] * 4, "owner": 0,
                                 "valid": [False] * 4, "mac": 0}
    if match := re.fullmatch(r"(\w+)\[(\d)\]", field):
        values[match[1]][int(match[2])] = value  # pyright: ignore
    else:
        values[field] = value
    return Leaf(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # pyright: ignore


@pytest.mark.parametrize(("field", "place"), FIELDS.items())
def test_a_leaf_field_lies_where_the_contract_says(field: str, place: tuple[int, int]) -> None:
    first, bits = place
    packed = int.from_bytes(leaf_with(field, (1 << bits) - 1).pack(), "little")
    assert packed == (1 << bits) - 1 << first


def test_a_node_counter_lies_where_the_contract_says() -> None:
    for index in range(8):
        counters = tuple((1 << 52) - 1 if number == index else 0 for number in range(8))
        packed = int.from_bytes(Node(counters=counters, mac=0).pack(), "little")
        assert packed == (1 << 52) - 1 << 52 * index
    assert Node(counters=(0,) * 8, mac=0xA5).pack() == bytes(56) + b"\xa5" + bytes(7)


SHAPES = [LeafShape(), LeafShape(lines=2, version_bits=60, tag_bits=64),
          LeafShape(lines=8, version_bits=13, tag_bits=40, owner_bits=8)]


@given(st.data(), st.sampled_from(SHAPES))
def test_a_leaf_of_any_shape_survives_packing(data: st.DataObject, shape: LeafShape) -> None:
    def several(width: int) -> tuple[int, ...]:
        one = st.integers(0, (1 << width) - 1)
        return tuple(data.draw(st.lists(one, min_size=shape.lines, max_size=shape.lines)))

    leaf = Leaf(versions=several(shape.version_bits), tags=several(shape.tag_bits),
                owner=several(shape.owner_bits)[0], valid=tuple(map(bool, several(1))),
                mac=several(shape.mac_bits)[0], shape=shape)
    assert len(leaf.pack()) == 64
    assert Leaf.unpack(leaf.pack(), shape) == leaf


@given(st.lists(st.integers(0, (1 << 52) - 1), min_size=8, max_size=8),
       st.integers(0, (1 << 64) - 1))
def test_a_node_survives_packing(counters: list[int], mac: int) -> None:
    node = Node(counters=tuple(counters), mac=mac)
    assert Node.unpack(node.pack()) == node


@given(st.binary(min_size=64, max_size=64))
def test_any_64_bytes_are_a_leaf_and_pack_to_themselves(content: bytes) -> None:
    assert Leaf.unpack(content).pack() == content


@given(st.binary(min_size=64, max_size=64))
def test_64_bytes_are_a_node_unless_the_unused_bits_are_set(content: bytes) -> None:
    if content[52:56] == bytes(4):
        assert Node.unpack(content).pack() == content
    else:
        with pytest.raises(FormatError, match=r"32 unused bits before the MAC of a node are not"):
            Node.unpack(content)


@pytest.mark.parametrize(("field", "place"), FIELDS.items())
def test_a_leaf_field_that_does_not_fit_is_named(field: str, place: tuple[int, int]) -> None:
    if field.startswith("valid"):
        return
    bits = place[1]
    with pytest.raises(FormatError, match=f"^{re.escape(field)} = .* does not fit {bits} bits$"):
        leaf_with(field, 1 << bits).pack()


def test_a_wrong_number_of_fields_or_bytes_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^7 values of counters instead of 8$"):
        Node(counters=(0,) * 7, mac=0).pack()
    with pytest.raises(FormatError, match=r"^a node has 64 bytes, not 63$"):
        Node.unpack(bytes(63))
    with pytest.raises(FormatError, match=r"^a leaf has 64 bytes, not 65$"):
        Leaf.unpack(bytes(65))


def test_an_iv_is_kind_counter_and_index_big_endian() -> None:
    assert initialization_vector(0xA, 0x123456789ABCD, 0x1122334455).hex() \
        == "a123456789abcd1122334455"
    for kind, counter, index, name in ((16, 0, 0, "kind"), (0, 1 << 52, 0, "counter"),
                                       (0, 0, 1 << 40, "index")):
        with pytest.raises(ValueError, match=f"^{name} = "):
            initialization_vector(kind, counter, index)


def test_tags_are_the_first_bytes_of_the_gmac_little_endian() -> None:
    key, stored = bytes(range(16)), bytes(range(64))
    full = gmac(key, bytes.fromhex("100000000000070000000009"), stored)
    assert line_tag(key, 9, 7, stored).to_bytes(7, "little") == full[:7]
    full = gmac(key, bytes.fromhex("300000000000070000000009"), stored[:56])
    assert metadata_mac(key, 3, 7, 9, stored[:56]).to_bytes(8, "little") == full[:8]
