"""Programs as files, cores as packages, and what is said of those that are wrong."""

import importlib.machinery

import numpy as np
import pytest
from casemate.config import preset
from casemate_sim.cpu.boot import machine_config
from casemate_sim.cpu.hardware import cores
from casemate_sim.cpu.hardware.devices import BASE, Register
from casemate_sim.cpu.program import (
    MEMORY_BYTES,
    ProgramError,
    find_program,
    load_program,
    shipped,
)
from casemate_sim.cpu.strike import STRIKES, Strike, target_of
from casemate_sim.toolchain import ToolError

CONFIG = machine_config(preset("tiny"))


def test_the_shipped_programs_fit_their_memory_and_name_their_data():
    assert len(shipped()) >= 10
    for name in shipped():
        program = find_program(name)
        memory = program.memory(CONFIG)
        assert memory.shape == (MEMORY_BYTES // 64, 64) and memory[0].any(), name
        if name != "hello":
            assert program.symbols["working_set"][1] > 0, name


def test_the_header_of_the_programs_has_the_registers_in_their_order():
    header = (next(iter(shipped().values())).parents[1] / "casemate.h").read_text()
    assert f"(volatile uint32_t *){BASE:#x}" in header
    assert "enum { " + ", ".join(register.name for register in Register) + " };" in header


def test_any_other_file_is_an_image_for_address_0(tmp_path):
    path = tmp_path / "image.bin"
    path.write_bytes(bytes(range(100)))
    program = load_program(path)
    assert program.memory(CONFIG).reshape(-1)[:101].tolist() == [*range(100), 0]
    assert program.symbols == {}
    path.write_bytes(bytes(MEMORY_BYTES + 1))
    with pytest.raises(ProgramError, match=r"image: 262145 bytes at 0x0 lie outside the memory "
                                           r"from 0x0 to 0x3ffff"):
        load_program(path).memory(CONFIG)


def test_a_wrong_file_is_refused_by_name(tmp_path):
    elf = shipped()["hello"].read_bytes()
    for name, content, message in (
            ("empty", b"", "the file is empty"),
            ("cut.elf", elf[:40], "a damaged ELF file"),
            ("arm.elf", elf[:18] + b"\x28\x00" + elf[20:], "EM_ARM, 32 bits, ET_EXEC; the cores"),
            ("shared.elf", elf[:16] + b"\x03\x00" + elf[18:], "ET_DYN; the cores run")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ProgramError, match=f"{name}.*{message}"):
            load_program(path)
    with pytest.raises(ProgramError, match=r"nowhere: no such file, and no shipped program.*chase"):
        find_program("nowhere")


def test_a_target_is_a_symbol_or_a_line():
    program = find_program("chase")
    assert target_of(program, None, CONFIG) == program.symbols["working_set"]
    assert target_of(program, "0x123", CONFIG) == (0x100, 64)
    with pytest.raises(ValueError, match=r"chase has no symbol 'wrong'.*main.*working_set"):
        target_of(program, "wrong", CONFIG)
    with pytest.raises(ValueError, match=r"0x40000 lies outside the memory"):
        target_of(program, "0x40000", CONFIG)


def test_an_impossible_attack_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'drop_data'; there are flip_data, "):
        Strike(attack="drop_data", cycle=100, first=0, size=64)
    with pytest.raises(ValueError, match=r"cycle 2 or later, not 1"):
        Strike(attack="flip_data", cycle=1, first=0, size=64)


class Memory:
    """DRAM content without a simulation."""

    def __init__(self):
        self.bytes = np.zeros(CONFIG.regions[-1].end, dtype=np.uint8)

    def read_memory(self, address, size):
        return self.bytes[address:address + size].tobytes()

    def write_memory(self, address, content):
        self.bytes[address:address + len(content)] = np.frombuffer(content, np.uint8)

    def pages(self):
        for address in range(0, len(self.bytes), 4096):
            yield address, self.bytes[address:address + 4096].tobytes()


@pytest.mark.parametrize("name", STRIKES)
def test_an_attack_changes_only_what_it_is_about_and_only_when_it_strikes(name):
    memory, first = Memory(), 0x4000
    memory.bytes[:] = np.random.default_rng(1).integers(0, 256, len(memory.bytes))
    strike = Strike(attack=name, cycle=1000, first=first, size=4096)
    act, before = strike.on(memory, CONFIG), memory.bytes.copy()
    assert act(0) == 500 and act(500) == 1000
    assert (memory.bytes == before).all() and strike.as_dict() is None
    # What is replayed is old only if something was written in between.
    memory.bytes[:] = np.random.default_rng(2).integers(0, 256, len(memory.bytes))
    before = memory.bytes.copy()
    assert act(1000) is None
    changed = np.flatnonzero(memory.bytes != before)
    done = strike.as_dict()
    assert len(changed) and first <= done["address"] < first + 4096
    if name in ("flip_data", "flip_data_multi", "replay_line"):
        assert set(changed // 64 * 64) == {done["address"]}
    elif name.startswith("flip") and name != "flip_zeros":
        assert (changed >= CONFIG.data_bytes).all()


def test_the_errors_of_vexriscv_are_connected_and_another_core_is_noticed(monkeypatch, tmp_path):
    text = cores.VexRiscv.verilog()
    assert "error = 1'b0" not in text.replace("Bus_rsp_payload", "")
    for bus in "id":
        assert f"assign {bus}Bus_rsp_payload_error = {bus}Bus_error_regNext;" in text
    (tmp_path / "verilog").mkdir()
    (tmp_path / "verilog" / cores.VexRiscv.file).write_text("module VexRiscv; endmodule")
    spec = importlib.machinery.ModuleSpec("fake", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(cores, "find_spec", lambda _: spec)
    with pytest.raises(ToolError, match=r"another VexRiscv than the one that is known: 0 open"):
        cores.VexRiscv.verilog()


def test_a_core_that_is_not_there_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(cores, "find_spec", lambda _: None)
    with pytest.raises(ToolError, match=r"picorv32 is not installed.*pip install pythondata"):
        cores.PicoRV32.verilog()
    with pytest.raises(ValueError, match=r"no core is called 'z80'; there are vexriscv"):
        cores.find_core("z80")
