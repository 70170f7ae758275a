"""What synthesis makes of the hardware does what the hardware does: netlists, simulated.

The engine's netlist under random traffic is in ``tests/system``.
"""

import random
import re

import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.cipher import Direction, create_cipher
from casemate.aes.key_schedule import KeyExpander
from casemate.config import preset
from casemate_sim.adversary import Outcome, plan, run_campaign, run_now
from casemate_sim.adversary.native import NativeAdapter
from casemate_sim.component import NativeComponent
from casemate_sim.modes import with_tree
from casemate_sim.synthesis.mapped import check_block_ram
from casemate_sim.toolchain import ToolError
from Crypto.Cipher import AES


class Cipher(wiring.Component):
    """Key expansion and an encrypting core of the smallest preset, for one key."""

    def __init__(self):
        super().__init__({"key": In(stream.Signature(128)), "i": In(stream.Signature(128)),
                          "o": Out(128)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.expander = expander = KeyExpander(aes_bits=128, tag=1)
        m.submodules.core = core = create_cipher(
            preset("tiny").data_cipher, aes_bits=128, direction=Direction.ENCRYPT, keys=1, tag=1)
        made = expander.o.payload
        m.d.comb += [
            self.key.ready.eq(expander.i.ready), expander.i.valid.eq(self.key.valid),
            expander.i.payload.key.eq(self.key.payload),
            core.round_key.valid.eq(expander.o.valid), core.round_key.round.eq(made.round),
            core.round_key.value.eq(made.value), self.i.ready.eq(core.i.ready),
            core.i.valid.eq(self.i.valid), core.i.payload.block.eq(self.i.payload),
            self.o.eq(core.o.payload.block),
        ]
        return m


def wrong_blocks(seed, transform=str):
    """Return how many of 64 blocks under 8 random keys come out otherwise than pycryptodome's."""
    native = NativeComponent(Cipher(), netlist=True, transform=transform, optimise="-O0")
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
            wrong += native.step({}, 30)["o"] != int.from_bytes(expected, "little")
    return wrong


def with_wrong_lut(netlist):
    """Invert the LUT in the middle of a netlist."""
    tables = list(re.finditer(r"(?<=  LUT4 #\(\n    \.INIT\(16'h)[0-9a-f]{4}", netlist))
    chosen = tables[len(tables) // 2]
    return (f"{netlist[:chosen.start()]}{0xFFFF ^ int(chosen[0], 16):04x}"
            f"{netlist[chosen.end():]}")


def test_the_netlist_of_a_cipher_with_tables_in_block_ram_agrees_with_the_library(seed):
    assert wrong_blocks(seed) == 0


def test_one_wrong_lut_would_be_found(seed):
    assert wrong_blocks(seed, with_wrong_lut)


def block_ram(**changes):
    """Return a block RAM of rows as Yosys writes it into JSON, with other settings or pins."""
    settings = {"DATA_WIDTH_A": f"{36:032b}", "DATA_WIDTH_B": f"{36:032b}", "REGMODE_A": "NOREG",
                "REGMODE_B": "NOREG", "CSDECODE_A": "0b000", "CSDECODE_B": "0b000",
                "CLKAMUX": "CLKA", "CLKBMUX": "CLKB", "GSR": "DISABLED"}
    pins = {name: ["0"] for name in ("RSTA", "RSTB", "WEB", "CSA0", "CSA1", "CSA2", "CSB0", "CSB1",
                                     "CSB2")} | {"WEA": ["1"], "CLKA": [2], "CLKB": [2]}
    return {"parameters": {key: changes.get(key, value) for key, value in settings.items()},
            "connections": {key: changes.get(key, value) for key, value in pins.items()}}


def test_a_block_ram_in_another_mode_has_no_model():
    check_block_ram("rows", block_ram())
    tables = {f"DATA_WIDTH_{port}": f"{18:032b}" for port in "AB"}
    check_block_ram("tables", block_ram(**tables, WEA=["0"]))
    for changes, reason in ((tables, "WEA is used"), ({"REGMODE_B": "OUTREG"}, "REGMODE_B"),
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
