"""Attacks one by one on a small DRAM, what they combine to, and who notices the lies."""

import random

import pytest
from casemate.config import LeafShape, preset
from casemate_sim.adversary import ATTACKS, MODES, Later, Scene, Together, Witness, Write, find
from casemate_sim.adversary.attack import Attack
from casemate_sim.adversary.catalogue import expectation_table
from casemate_sim.adversary.dram import Hook, flipped, merged
from casemate_sim.model import Leaf, Node

CONFIG = preset("tiny").replace(root_counters=8)


class Memory:
    """DRAM as a dictionary."""

    def __init__(self):
        self.lines = {}

    def read_line(self, address):
        return self.lines.get(address, bytes(64))

    def write_line(self, address, content):
        self.lines[address] = content

    def addresses(self):
        return sorted(self.lines)


def filled(scene, rng):
    memory = Memory()
    for line in scene.lines:
        for address in (scene.line_address(line), *scene.path(line)):
            memory.write_line(address, rng.randbytes(64))
    return memory


def test_a_scene_knows_the_relations_of_its_lines(seed):
    rng = random.Random(seed)
    for _ in range(200):
        scene = Scene.draw(rng, CONFIG)
        assert len(set(scene.lines)) == len(scene.lines) == 8
        assert scene.index(0, scene.target) == scene.index(0, scene.sibling)
        assert scene.index(0, scene.target) != scene.index(0, scene.cousin)
        assert scene.index(1, scene.target) == scene.index(1, scene.cousin)
        assert scene.index(1, scene.target) != scene.index(1, scene.stranger)
        for line in scene.lines:
            assert scene.is_data(scene.line_address(line))
            path = scene.path(line)
            assert len(path) == CONFIG.levels == len(set(path))
            assert all(scene.is_metadata(address) for address in path)


@pytest.mark.parametrize("shape", [LeafShape(), LeafShape(lines=2, version_bits=40, tag_bits=64)])
def test_fields_lie_where_the_format_says(shape):
    scene = Scene.draw(random.Random(1), CONFIG.replace(leaf=shape))
    line = scene.target
    place = line % shape.lines

    def ones(bits):
        content = bytes(64)
        for bit in bits:
            content = flipped(content, bit)
        return content

    leaf = Leaf.unpack(ones(scene.leaf_bits("version", line)), shape)
    assert leaf.versions[place] == (1 << shape.version_bits) - 1 and sum(leaf.tags) == 0
    assert sum(leaf.versions) == leaf.versions[place]
    leaf = Leaf.unpack(ones(scene.leaf_bits("tag", line)), shape)
    assert leaf.tags[place] == (1 << shape.tag_bits) - 1 == sum(leaf.tags)
    assert Leaf.unpack(ones(scene.leaf_bits("owner", line)), shape).owner == 0xFFF
    valid = Leaf.unpack(ones(scene.leaf_bits("valid", line)), shape).valid
    assert [index for index, bit in enumerate(valid) if bit] == [place]
    assert Leaf.unpack(ones(scene.leaf_bits("mac", line)), shape).mac == (1 << 64) - 1
    node = Node.unpack(ones(scene.node_bits("counter", 1, line)))
    assert node.counters[scene.index(0, line) % 8] == (1 << 52) - 1 == sum(node.counters)
    assert Node.unpack(ones(scene.node_bits("mac", 1, line))).mac == (1 << 64) - 1
    assert len(scene.node_bits("zeros", 1, line)) == 32


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_decided_by_its_seed_and_changes_something_or_sees(name, seed):
    kind = find(name)
    assert set(kind.expected) == set(MODES)
    assert kind.description.endswith(".")
    changed = 0
    for number in range(20):
        scene = Scene.draw(random.Random(seed + number), CONFIG)
        attack, twin = (kind(scene, random.Random(number)) for _ in range(2))
        assert attack.parameters == twin.parameters
        memory = filled(scene, random.Random(number))
        witness = Witness(memory, attack)
        for address in memory.addresses():
            witness.on_read(memory, address)
        assert not witness.lies
        attack.begin(witness)
        attack.observe(witness)

        def write_all(rng, memory=memory, witness=witness):
            for address in list(memory.addresses()):
                if address < CONFIG.regions[-1].end:
                    passed = witness.on_write(memory, Write(address, rng.randbytes(64)))
                    if passed is not None:
                        memory.write_line(passed.address, merged(
                            memory.read_line(passed.address), passed))

        write_all(random.Random(number + 1000))
        attack.strike(witness)
        if name == "glitch_write_back":
            write_all(random.Random(number + 2000))
        for address in witness.addresses():
            witness.on_read(memory, address)
        changed += bool(witness.lies)
    passive = name in ("dictionary_places", "dictionary_times", "cold_boot")
    assert changed == 0 if passive else changed >= 15


def test_the_witness_knows_what_an_honest_dram_would_hold():
    memory = Memory()
    memory.write_line(0, bytes(range(64)))
    witness = Witness(memory, Hook())

    def write(address, data, strobe=(1 << 64) - 1):
        passed = witness.on_write(memory, Write(address, data, strobe))
        memory.write_line(passed.address, merged(memory.read_line(passed.address), passed))

    write(0, b"\xff" * 64, 0b101)
    assert memory.read_line(0)[:4] == b"\xff\x01\xff\x03"
    assert witness.on_read(memory, 0) == 0 and not witness.lies
    witness.write_line(0, bytes(64))
    witness.on_read(memory, 0)
    witness.on_read(memory, 64)
    assert witness.lies == [0]
    write(0, b"\xaa" * 64)
    witness.on_read(memory, 0)
    assert witness.lies == [0]
    assert witness.addresses() == [0, 64]


class Poke(Attack):
    """Writes to the target; redirects its reads."""

    name = "poke"

    def __init__(self, scene, value):
        super().__init__(scene, random.Random())
        self.value = value

    def strike(self, dram):
        dram.write_line(0, bytes([self.value]) * 64)

    def on_read(self, dram, address):
        return address + 64 * self.value

    def on_write(self, dram, write):
        return None if write.address == 128 else Write(write.address + 64, write.data)


def test_attacks_combine():
    scene = Scene.draw(random.Random(0), CONFIG)
    memory = Memory()
    both = Together(Poke(scene, 1), Poke(scene, 2))
    both.strike(memory)
    assert memory.read_line(0) == b"\x02" * 64
    assert both.on_read(memory, 0) == 192
    assert both.on_write(memory, Write(0, bytes(64))).address == 128
    assert both.on_write(memory, Write(64, bytes(64))) is None


def test_a_later_attack_counts_the_traffic():
    scene = Scene.draw(random.Random(0), CONFIG)
    memory = Memory()
    later = Later(Poke(scene, 3), 2)
    later.on_read(memory, 0)
    later.strike(memory)
    later.on_read(memory, 0)
    later.on_write(memory, Write(0, bytes(64)))
    assert memory.read_line(0) == bytes(64)
    later.on_read(memory, 0)
    assert memory.read_line(0) == b"\x03" * 64
    memory.write_line(0, bytes(64))
    later.on_read(memory, 0)
    assert memory.read_line(0) == bytes(64)


def test_the_table_names_every_attack():
    lines = expectation_table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == list(ATTACKS)
    for attack, line in zip(ATTACKS.values(), lines, strict=True):
        assert line.endswith(" | ".join(attack.expected[mode].value for mode in MODES) + " |")
