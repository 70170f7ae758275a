"""What synthesis makes of the hardware does what the hardware does: netlists, simulated.

The engine's netlist under random traffic is in ``tests/system``.
"""

import json
import random
import re

import pytest
from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from casemate.aes.cipher import Direction, create_cipher
from casemate.aes.key_schedule import KeyExpander
from casemate.config import preset
from casemate.rams import IN_BLOCK_RAM
from casemate_sim.adversary import Outcome, plan, run_campaign, run_now
from casemate_sim.adversary.native import NativeAdapter
from casemate_sim.component import NativeComponent
from casemate_sim.modes import with_tree
from casemate_sim.synthesis.devices import ECP5
from casemate_sim.synthesis.flow import design_of, synthesize
from casemate_sim.synthesis.mapped import check_block_ram
from casemate_sim.synthesis.tools import Tools
from casemate_sim.toolchain import ToolError
from Crypto.Cipher import AES


class Cipher(wiring.Component):
    """Key expansion and an encrypting core of a preset, for one key."""

    def __init__(self, name="tiny"):
        self._config = preset(name).data_cipher
        super().__init__({"key": In(stream.Signature(128)), "i": In(stream.Signature(128)),
                          "o": Out(128), "done": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.expander = expander = KeyExpander(aes_bits=128, tag=1)
        m.submodules.core = core = create_cipher(
            self._config, aes_bits=128, direction=Direction.ENCRYPT, keys=1, tag=1)
        made = expander.o.payload
        m.d.comb += [
            self.key.ready.eq(expander.i.ready), expander.i.valid.eq(self.key.valid),
            expander.i.payload.key.eq(self.key.payload),
            core.round_key.valid.eq(expander.o.valid), core.round_key.round.eq(made.round),
            core.round_key.value.eq(made.value), self.i.ready.eq(core.i.ready),
            core.i.valid.eq(self.i.valid), core.i.payload.block.eq(self.i.payload),
            self.o.eq(core.o.payload.block), self.done.eq(core.o.valid),
        ]
        return m


def wrong_blocks(seed, transform=str, name="tiny"):
    """Return how many of 64 blocks under 8 random keys come out otherwise than pycryptodome's."""
    native = NativeComponent(Cipher(name), netlist=True, transform=transform, optimise="-O0")
    rng = random.Random(seed)
    wrong = 0
    for _ in range(8):
        key = rng.randbytes(16)
        native.step({"key_valid": 1, "key": int.from_bytes(key, "little")})
        native.step({}, 11)
        for _ in range(8):
            block = rng.randbytes(16)
            native.step({"i_valid": 1, "i": int.from_bytes(block, "little")})
            expected = AES.new(key, AES.MODE_ECB).encrypt(block)
            outputs = [native.step({}) for _ in range(30)]
            made = next((seen["o"] for seen in outputs if seen["done"]), None)
            wrong += made != int.from_bytes(expected, "little")
    return wrong


def with_wrong_lut(netlist):
    """Invert the LUT in the middle of a netlist."""
    tables = list(re.finditer(r"(?<=  LUT4 #\(\n    \.INIT\(16'h)[0-9a-f]{4}", netlist))
    chosen = tables[len(tables) // 2]
    return (f"{netlist[:chosen.start()]}{0xFFFF ^ int(chosen[0], 16):04x}"
            f"{netlist[chosen.end():]}")


def test_the_netlist_of_a_cipher_with_tables_in_block_ram_agrees_with_the_library(seed):
    assert wrong_blocks(seed) == 0


@pytest.mark.verify
def test_the_netlist_of_a_pipeline_agrees_with_the_library(seed):
    assert wrong_blocks(seed, name="ecp5") == 0


def test_one_wrong_lut_would_be_found(seed):
    assert wrong_blocks(seed, with_wrong_lut)


class SmallRam(wiring.Component):
    """A few words of 32 bits, read at once."""

    def __init__(self, words, init=()):
        self._words, self._init = words, list(init)
        address = range(words)
        super().__init__({"enable": In(1), "write": In(address), "data": In(32),
                          "read": In(address), "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=32, depth=self._words, init=self._init)
        write, read = words.write_port(), words.read_port(domain="comb")
        m.d.comb += [write.en.eq(self.enable), write.addr.eq(self.write),
                     write.data.eq(self.data), read.addr.eq(self.read), self.o.eq(read.data)]
        return m


def test_address_bits_that_a_ram_in_luts_does_not_need_change_nothing(seed):
    for words, init in ((2, ()), (4, (1, 2, 3, 4)), (13, ())):
        native = NativeComponent(SmallRam(words, init), netlist=True, optimise="-O0")
        rng = random.Random(seed)
        stored = dict.fromkeys(range(words), 0) | dict(enumerate(init))
        for _ in range(200):
            where, value, look = rng.randrange(words), rng.getrandbits(32), rng.randrange(words)
            enable = rng.randrange(2)
            seen = native.step({"enable": enable, "write": where, "data": value, "read": look})
            assert seen["o"] == stored[look], (words, init)
            if enable:
                stored[where] = value


def constant_address_pins(words, init=()):
    """Return how many address pins of a RAM's LUTs are constant, and how many LUTs there are."""
    with Tools() as tools:
        netlist = synthesize(design_of(SmallRam(words, init), "small_ram"), ECP5, tools)
    cells = [cell for cell in json.loads(netlist.read_text())["modules"]["top"]["cells"].values()
             if cell["type"] == "TRELLIS_DPR16X4"]
    return sum(isinstance(bit, str) for cell in cells for pins in ("RAD", "WAD")
               for bit in cell["connections"][pins]), len(cells)


def test_no_address_pin_of_a_ram_in_luts_is_wired_to_a_constant():
    assert [constant_address_pins(words) for words in (4, 13)] == [(0, 8)] * 2
    # The words of the one RAM that does not begin as zeros stay where they are.
    assert constant_address_pins(4, (1, 2, 3, 4)) == (4, 8)


class LateTables(wiring.Component):
    """Tables in block RAM that are read by two ports, with a register behind each, or a wire.

    What the first port gives is used elsewhere, too: ``"at once"``, or by a register that is
    ``"enabled"`` now and then.
    """

    def __init__(self, words, elsewhere=None):
        self._words, self._elsewhere = words, elsewhere
        super().__init__({"a": In(8), "b": In(8), "enable": In(1), "late_a": Out(16),
                          "late_b": Out(16), "other": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=16, depth=256, init=self._words,
                                            attrs=IN_BLOCK_RAM)
        for address, late in ((self.a, self.late_a), (self.b, self.late_b)):
            port = words.read_port()
            behind = Signal(16, reset_less=True)
            m.d.comb += [port.addr.eq(address), port.en.eq(self.enable), late.eq(behind)]
            m.d.sync += behind.eq(port.data)
            if late is self.late_a and self._elsewhere == "at once":
                m.d.comb += self.other.eq(port.data ^ self.b.replicate(2))
            if late is self.late_a and self._elsewhere == "enabled":
                with m.If(self.enable):
                    m.d.sync += self.other.eq(port.data)
        return m


@pytest.mark.parametrize("elsewhere", [None, "at once", "enabled"])
def test_registers_of_block_ram_do_what_those_behind_it_would(elsewhere, seed):
    rng = random.Random(seed)
    table = [rng.getrandbits(16) for _ in range(256)]
    native = NativeComponent(LateTables(table, elsewhere), netlist=True, optimise="-O0")
    read, late, kept = (0, 0), (0, 0), 0
    for cycle in range(300):
        a, b, enable = rng.randrange(256), rng.randrange(256), rng.randrange(2)
        seen = native.step({"a": a, "b": b, "enable": enable})
        if cycle > 2:
            assert (seen["late_a"], seen["late_b"]) == late
            assert seen["other"] == {
                None: 0, "at once": read[0] ^ b * 0x101, "enabled": kept}[elsewhere]
        late = read
        if enable:
            kept = read[0]
            read = table[a], table[b]


@pytest.mark.parametrize(("asked", "elsewhere", "modes"), [
    (True, None, ["OUTREG", "OUTREG"]), (True, "at once", ["NOREG", "OUTREG"]),
    (True, "enabled", ["NOREG", "OUTREG"]), (False, None, ["NOREG", "NOREG"])])
def test_a_register_moves_into_block_ram_if_nobody_else_reads_its_input(asked, elsewhere, modes):
    with Tools() as tools:
        netlist = synthesize(design_of(LateTables(range(256), elsewhere), "tables"), ECP5, tools,
                             ram_registers=asked)
    module = json.loads(netlist.read_text())["modules"]["top"]
    ram, = (cell for cell in module["cells"].values() if cell["type"] == "DP16KD")
    assert sorted(ram["parameters"][f"REGMODE_{port}"] for port in "AB") == modes
    driven = {bit for cell in module["cells"].values() for pin, bits in cell["connections"].items()
              if cell["port_directions"][pin] == "output" for bit in bits}
    driven |= {bit for port in module["ports"].values() for bit in port["bits"]}
    for cell in module["cells"].values():
        for bits in cell["connections"].values():
            assert {bit for bit in bits if isinstance(bit, int)} <= driven


def block_ram(**changes):
    """Return a block RAM of rows as Yosys writes it into JSON, with other settings or pins."""
    settings = {"DATA_WIDTH_A": f"{36:032b}", "DATA_WIDTH_B": f"{36:032b}", "REGMODE_A": "NOREG",
                "REGMODE_B": "NOREG", "CSDECODE_A": "0b000", "CSDECODE_B": "0b000",
                "CLKAMUX": "CLKA", "CLKBMUX": "CLKB", "GSR": "DISABLED"}
    pins = {name: ["0"] for name in ("RSTA", "RSTB", "WEB", "CSA0", "CSA1", "CSA2", "CSB0", "CSB1",
                                     "CSB2")}
    pins |= {name: ["1"] for name in ("OCEA", "OCEB", "WEA")} | {"CLKA": [2], "CLKB": [2]}
    return {"parameters": {key: changes.get(key, value) for key, value in settings.items()},
            "connections": {key: changes.get(key, value) for key, value in pins.items()}}


def test_a_block_ram_in_another_mode_has_no_model():
    check_block_ram("rows", block_ram())
    tables = {f"DATA_WIDTH_{port}": f"{18:032b}" for port in "AB"}
    check_block_ram("tables", block_ram(**tables, WEA=["0"]))
    for changes, reason in ((tables, "WEA is used"),
                            ({"REGMODE_B": "OUTREG"}, "rows go through output registers"),
                            (tables | {"REGMODE_B": "OUTREG", "OCEB": ["0"]}, "OCEB is used"),
                            ({"DATA_WIDTH_A": f"{18:032b}"}, "18 and 36 bits"),
                            ({"RSTB": [7]}, "RSTB is used"), ({"CLKB": [3]}, "two clocks")):
        with pytest.raises(ToolError, match=f"block RAM odd has no model: .*{reason}"):
            check_block_ram("odd", block_ram(**changes))


@pytest.mark.verify
def test_the_netlist_of_the_smallest_preset_withstands_attacks(seed):
    adapter = NativeAdapter(with_tree(preset("tiny")), netlist=True)
    report = run_now(run_campaign(adapter, plan(128, seed)))
    adapter.close()
    print(f"seed {seed}: {report.trials} trials, {report.cycles} cycles")
    assert not report.failures, [str(each) for each in report.failures]
    assert report.ok, report.missed
    assert report.total(Outcome.DETECTED) > 30
