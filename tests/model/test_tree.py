"""The tree against code written by hand; what is tampered with is found where it was done."""

from __future__ import annotations

import numpy as np
import pytest
from casemate.config import LeafShape, preset
from casemate_sim.model import (
    ExhaustedError,
    GoldenEngine,
    Image,
    IntegrityError,
    Leaf,
    LeafArray,
    Node,
    Tree,
    find_root,
    seal_image,
)
from casemate_sim.model.arrays import pack_counters, set_macs, unpack_counters
from casemate_sim.model.crypto import gmac, gmac_many
from casemate_sim.model.errors import ModelError
from casemate_sim.model.tags import initialization_vector, initialization_vectors
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st

# 1024 lines, 256 leaves, 32 nodes of level 1, 4 of level 2, whose counters are the root's.
CONFIG = preset("tiny").replace(root_counters=8, data_base=0x10000)
KEYS = {name: bytes([number]) * 16 for number, name in enumerate(("K1", "K2", "K3", "K4"))}
DATA_BASE, LEAF_BASE, NODE1_BASE, NODE2_BASE = 0x10000, 0x20000, 0x24000, 0x24800


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def engine(image: Image | None = None, root: np.ndarray | None = None, *, encrypt: bool = True,
           lazy: bool = False) -> GoldenEngine:
    golden = GoldenEngine(CONFIG, image, root, lazy=lazy)
    golden.set_slot(0, domain=5, encrypt=encrypt, authenticate=True)
    for name, key in KEYS.items():
        golden.load_key(0, name, key)
    return golden


# -- a second implementation, as plain as can be -------------------------------------------------


def mac(key: str, kind: int, counter: int, index: int, message: bytes, size: int) -> int:
    nonce = (kind << 92 | counter << 40 | index).to_bytes(12, "big")
    cipher = AES.new(KEYS[key], AES.MODE_GCM, nonce=nonce)
    cipher.update(message)
    return int.from_bytes(cipher.digest()[:size], "little")


def encrypted(line: int, version: int, data: bytes) -> bytes:
    tweak = (line | version << 64).to_bytes(16, "little")
    mask = int.from_bytes(AES.new(KEYS["K2"], AES.MODE_ECB).encrypt(tweak), "little")
    stored = b""
    for start in range(0, 64, 16):
        block = int.from_bytes(data[start:start + 16], "little") ^ mask
        block = AES.new(KEYS["K1"], AES.MODE_ECB).encrypt(block.to_bytes(16, "little"))
        stored += (int.from_bytes(block, "little") ^ mask).to_bytes(16, "little")
        mask = (mask << 1 ^ (0x87 if mask >> 127 else 0)) & (1 << 128) - 1
    return stored


def sealed(kind: int, counter: int, index: int, fields: int) -> bytes:
    body = fields.to_bytes(56, "little")
    return body + mac("K4", kind, counter, index, body, 8).to_bytes(8, "little")


@pytest.mark.parametrize("encrypt", [True, False])
def test_three_writes_leave_what_code_by_hand_computes(encrypt: bool) -> None:
    texts = {3: b"a" * 64, 0: bytes(range(64)), 37: bytes(range(100, 164))}
    golden = engine(encrypt=encrypt)
    golden.write(5, DATA_BASE + 64 * 3, bytes(64), claim=True)
    golden.write(5, DATA_BASE + 64 * 3, texts[3])
    golden.write(5, DATA_BASE, texts[0])
    golden.write(5, DATA_BASE + 64 * 37, texts[37], claim=True)

    version = {3: 2, 0: 1, 37: 1}
    stored = {line: encrypted(line, version[line], text) if encrypt else text
              for line, text in texts.items()}
    tag = {line: mac("K3", 1, version[line], line, stored[line], 7) for line in texts}
    # Line 37 is line 1 of leaf 9, and leaf 9 is leaf 1 of node 1.
    leaf0 = 1 | 2 << 3 * 52 | tag[0] << 208 | tag[3] << 208 + 3 * 56 | 5 << 432 | 0b1001 << 444
    leaf9 = 1 << 52 | tag[37] << 208 + 56 | 5 << 432 | 0b0010 << 444
    expected = Image([(DATA_BASE + 64 * line, content) for line, content in stored.items()])
    expected.write(LEAF_BASE, sealed(2, 3, 0, leaf0))
    expected.write(LEAF_BASE + 64 * 9, sealed(2, 1, 9, leaf9))
    expected.write(NODE1_BASE, sealed(3, 3, 0, 3))
    expected.write(NODE1_BASE + 64, sealed(3, 1, 1, 1 << 52))
    expected.write(NODE2_BASE, sealed(4, 4, 0, 3 | 1 << 52))
    assert golden.image == expected
    assert golden.root.tolist() == [4, 0, 0, 0, 0, 0, 0, 0]
    assert golden.leaf(9) == Leaf(versions=(0, 1, 0, 0), tags=(0, tag[37], 0, 0), owner=5,
                                  valid=(False, True, False, False), mac=0)


def test_a_flush_counts_each_leaf_and_node_once() -> None:
    golden = engine(lazy=True)
    for line in (0, 1, 0, 8, 1023):
        golden.write(5, DATA_BASE + 64 * line, b"x" * 64, claim=True)
    assert not golden.root.any()
    golden.flush()
    assert golden.root.tolist() == [1, 0, 0, 1, 0, 0, 0, 0]
    tree = golden.tree()
    assert tree.counters(0, numbers(255, 2, 0, 1)).tolist() == [1, 1, 1, 0]
    assert golden.leaf(0).versions == (2, 1, 0, 0)
    golden.write(5, DATA_BASE, b"y" * 64)
    assert golden.read(5, DATA_BASE, 1) == b"y"
    golden.flush()
    golden.flush()
    assert golden.root.tolist() == [2, 0, 0, 1, 0, 0, 0, 0]


# -- many at once --------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.sampled_from([16, 32]), st.integers(0, 70), st.integers(0, 5), st.randoms())
def test_gmac_of_many_is_that_of_pycryptodome(size: int, length: int, count: int, random) -> None:
    key = random.randbytes(size)
    ivs = np.frombuffer(random.randbytes(12 * count), np.uint8).reshape(count, 12)
    messages = np.frombuffer(random.randbytes(length * count), np.uint8).reshape(count, length)
    assert gmac_many(key, ivs, messages).tobytes() == b"".join(
        gmac(key, iv.tobytes(), message.tobytes())
        for iv, message in zip(ivs, messages, strict=True))


@given(st.integers(0, 15), st.lists(st.tuples(
    st.integers(0, (1 << 52) - 1), st.integers(0, (1 << 40) - 1)), max_size=5))
def test_many_ivs_are_those_of_one(kind: int, items: list[tuple[int, int]]) -> None:
    vectors = initialization_vectors(kind, numbers(*(counter for counter, _ in items)),
                                     numbers(*(index for _, index in items)))
    assert vectors.tobytes() == b"".join(initialization_vector(kind, *item) for item in items)


SHAPES = [LeafShape(), LeafShape(lines=2, version_bits=60, tag_bits=64),
          LeafShape(lines=8, version_bits=13, tag_bits=40, owner_bits=8)]


@given(st.data(), st.sampled_from(SHAPES))
def test_many_leaves_are_those_of_one(data: st.DataObject, shape: LeafShape) -> None:
    raw = data.draw(st.binary(min_size=192, max_size=192))
    used = shape.lines * (shape.version_bits + shape.tag_bits + 1) + shape.owner_bits
    leaves = []
    for start in (0, 64, 128):
        value = int.from_bytes(raw[start:start + 64], "little") & (1 << used) - 1
        leaves.append(Leaf.unpack(value.to_bytes(64, "little"), shape))
    contents = np.frombuffer(b"".join(leaf.pack() for leaf in leaves), np.uint8).reshape(-1, 64)
    many = LeafArray.unpack(contents, shape)
    assert many.versions.tolist() == [list(leaf.versions) for leaf in leaves]
    assert many.tags.tolist() == [list(leaf.tags) for leaf in leaves]
    assert many.owner.tolist() == [leaf.owner for leaf in leaves]
    assert many.valid.tolist() == [list(leaf.valid) for leaf in leaves]
    assert (many.pack(shape) == contents).all()


@given(st.lists(st.lists(st.integers(0, (1 << 52) - 1), min_size=8, max_size=8), max_size=4),
       st.integers(0, (1 << 64) - 1))
def test_many_nodes_are_those_of_one(counters: list[list[int]], tag: int) -> None:
    array = np.array(counters, np.uint64).reshape(-1, 8)
    contents = pack_counters(array)
    set_macs(contents, numbers(*[tag] * len(counters)))
    assert contents.tobytes() == b"".join(
        Node(counters=tuple(row), mac=tag).pack() for row in counters)
    assert (unpack_counters(contents) == array).all()


def test_an_image_sealed_at_once_is_one_that_was_written_line_by_line() -> None:
    random = np.random.default_rng(5)
    lines = random.choice(CONFIG.lines, 300, replace=False).astype(np.uint64)
    data = random.integers(256, size=(300, 64), dtype=np.uint8)
    image, root = seal_image(CONFIG, KEYS, 5, lines, data)
    lazy = engine(lazy=True)
    for line, content in zip(lines.tolist(), data, strict=True):
        lazy.write(5, DATA_BASE + 64 * line, content.tobytes(), claim=True)
    lazy.flush()
    assert lazy.image == image
    assert (lazy.root == root).all()
    assert (engine(image, root).read_lines(5, lines) == data).all()
    levels = list(lazy.tree().walk())
    assert [level.level for level in levels] == [2, 1, 0]
    assert not any(len(level.wrong) for level in levels)
    assert levels[-1].indices.tolist() == sorted(set((lines // 4).tolist()))


def test_a_root_is_found_by_trying() -> None:
    golden = engine()
    for count in range(1, 1100):
        golden.write(5, DATA_BASE, bytes([count % 256]) * 64, claim=True)
    golden.write(5, DATA_BASE + 64 * 300, b"x", claim=True)
    golden.image.write(NODE2_BASE + 64 * 2, b"rubbish")
    assert golden.root.tolist()[:4] == [1099, 1, 0, 0]
    assert find_root(CONFIG, KEYS["K4"], golden.image).tolist() == golden.root.tolist()
    assert find_root(CONFIG, KEYS["K4"], golden.image, 1098).tolist()[:2] == [0, 1]


def test_images_of_several_domains_and_versions_are_sealed_one_after_the_other() -> None:
    image, root = seal_image(CONFIG, KEYS, 5, numbers(0, 9), np.ones((2, 64), np.uint8),
                             versions=numbers(7, (1 << 52) - 1))
    other = {**KEYS, "K3": bytes(16)}
    del other["K1"]
    seal_image(CONFIG, other, 6, numbers(4), np.full((1, 64), 2, np.uint8), encrypt=False,
               image=image, root=root)
    assert image.read(DATA_BASE + 64 * 4, 64) == b"\x02" * 64
    golden = engine(image, root)
    assert golden.read(5, DATA_BASE + 64 * 9, 64) == b"\x01" * 64
    assert golden.leaf(0).versions[0] == 7
    assert golden.leaf(1).owner == 6
    with pytest.raises(ExhaustedError, match=r"^line 9 at address 0x10240: its version is the"):
        golden.write(5, DATA_BASE + 64 * 9, b"x")


# -- counters at their end -----------------------------------------------------------------------


def test_a_counter_at_its_end_is_named_and_nothing_changes() -> None:
    config = CONFIG.replace(counter_bits=2)
    image, root = seal_image(config, KEYS, 5, numbers(0, 32), np.zeros((2, 64), np.uint8))
    tree = Tree(config, KEYS["K4"], image, root)
    leaf = tree.read(0, numbers(0))
    for _ in range(2):
        tree.write_leaves(numbers(0), leaf)
    before, counters = Image(image.pages()), root.copy()
    with pytest.raises(ExhaustedError, match=r"^level 2 node 0 at address 0x24800: its counter"):
        tree.write_leaves(numbers(8), leaf)
    assert image == before
    assert (root == counters).all()
    root[0] = 1  # as if it were wider: the level below is next
    with pytest.raises(IntegrityError, match=r"^level 2 node 0 at address 0x24800: its MAC"):
        tree.write_leaves(numbers(0), leaf)


def test_a_tree_that_cannot_be_is_refused() -> None:
    with pytest.raises(ModelError, match=r"root counters; the configuration has 8$"):
        Tree(CONFIG, KEYS["K4"], Image(), numbers(1))
    with pytest.raises(ModelError, match=r"^a leaf's MAC has 64 bits, not 32$"):
        Tree(CONFIG.replace(leaf=LeafShape(mac_bits=32)), KEYS["K4"], Image())


# -- tampering -----------------------------------------------------------------------------------

LINES = numbers(0, 1, 2, 3, 5, 300, 301, 1023)


@pytest.fixture(scope="module", params=[True, False], ids=["full", "integrity"])
def memory(request: pytest.FixtureRequest) -> tuple[bool, Image, np.ndarray]:
    data = np.random.default_rng(8).integers(256, size=(len(LINES), 64), dtype=np.uint8)
    return request.param, *seal_image(CONFIG, KEYS, 5, LINES, data, encrypt=request.param)


def copies(memory: tuple[bool, Image, np.ndarray]) -> GoldenEngine:
    encrypt, image, root = memory
    return engine(Image(image.pages()), root.copy(), encrypt=encrypt)


def flip(image: Image, address: int, bit: int) -> None:
    byte = image.read(address + bit // 8, 1)[0]
    image.write(address + bit // 8, bytes([byte ^ 1 << bit % 8]))


# Of line 300: what it is, its level, number and address.
PATH = [("line", None, 300, DATA_BASE + 64 * 300), ("leaf", 0, 75, LEAF_BASE + 64 * 75),
        ("node", 1, 9, NODE1_BASE + 64 * 9), ("node", 2, 1, NODE2_BASE + 64)]


@settings(deadline=None)
@given(st.sampled_from(PATH), st.integers(0, 511), st.booleans())
def test_a_flipped_bit_is_found_where_it_is(
        memory: tuple[bool, Image, np.ndarray], place: tuple[str, int, int, int], bit: int,
        partial: bool) -> None:
    golden = copies(memory)
    flip(golden.image, place[3], bit)
    before = Image(golden.image.pages())
    with pytest.raises(IntegrityError) as caught:
        if partial:  # a partial write reads first
            golden.write(5, DATA_BASE + 64 * 300 + 7, b"?")
        else:
            golden.read(5, DATA_BASE + 64 * 300, 1)
    error = caught.value
    assert (error.kind, error.level, error.index, error.address) == place
    assert golden.image == before
    if place[1] is not None:
        wrong = {(level.level, index) for level in golden.tree().walk()
                 for index in level.wrong.tolist()}
        assert wrong == {place[1:3]}


def test_what_was_never_written_may_hold_anything() -> None:
    golden = engine()
    for _, _, _, address in PATH:
        golden.image.write(address, b"rubbish")
    golden.write(5, DATA_BASE + 64 * 301, b"x", claim=True)
    assert golden.read(5, DATA_BASE + 64 * 300, 65) == bytes(64) + b"x"


@settings(deadline=None)
@given(st.sets(st.integers(0, 3), min_size=1), st.booleans())
def test_old_contents_put_back_are_found(
        memory: tuple[bool, Image, np.ndarray], which: set[int], whole: bool) -> None:
    """Line, leaf, nodes or any of them, or all of DRAM: all but the root."""
    golden = copies(memory)
    old = Image(golden.image.pages())
    golden.write(5, DATA_BASE + 64 * 300, b"new")
    chosen = set(range(4)) if whole else which
    for place in chosen:
        golden.image.write(PATH[place][3], old.read(PATH[place][3], 64))
    with pytest.raises(IntegrityError) as caught:
        golden.read(5, DATA_BASE + 64 * 300, 1)
    assert caught.value.level == PATH[max(chosen)][1]  # the topmost that is old


@pytest.mark.parametrize(("first", "second"), [
    (DATA_BASE, DATA_BASE + 64), (DATA_BASE + 64 * 300, DATA_BASE + 64 * 1023),
    (LEAF_BASE, LEAF_BASE + 64), (LEAF_BASE, LEAF_BASE + 64 * 255),
    (NODE1_BASE, NODE1_BASE + 64 * 31), (NODE2_BASE, NODE2_BASE + 64 * 3)])
def test_swapped_contents_are_found(
        memory: tuple[bool, Image, np.ndarray], first: int, second: int) -> None:
    golden = copies(memory)
    here, there = golden.image.read(first, 64), golden.image.read(second, 64)
    golden.image.write(first, there)
    golden.image.write(second, here)
    with pytest.raises(IntegrityError) as caught:
        golden.read_lines(5, LINES)
    assert caught.value.address == first
