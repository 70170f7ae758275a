"""Descriptions refuse what contradicts itself; header and name map say the same as they do."""

import re
import shutil
import subprocess

import pytest
from casemate.config import PRESETS, TreeConfig, preset
from casemate.csr.description import Access, Block, DescriptionError, Field, Register
from casemate.csr.header import c_header
from casemate.csr.registers import STATISTICS, block
from casemate_sim.registers import RegisterMap, header, register_tables


def field(name="f", bits=4, low=0, access=Access.STORED, reset=0):
    return Field(name=name, bits=bits, low=low, access=access, reset=reset, text="Text.")


def register(*fields, name="r", offset=0):
    return Register(name=name, offset=offset, text="Text.", fields=fields)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: register(offset=2), "r: offset 0x2 is no multiple of 4"),
    (lambda: register(field(), field("g", low=3)), "r.g: bits 3 to 6 overlap another field"),
    (lambda: register(field(low=30)), "r.f: bits 30 to 33 overlap another field or leave"),
    (lambda: register(field(reset=16)), "r.f: reset value 0x10 does not fit 4 bits"),
    (lambda: register(field(), field(low=4)), "r: two fields have one name"),
    (lambda: register(field(access=Access.LOCKABLE)), "r: a lockable field needs one lock"),
    (lambda: Block(name="b", address_bits=12, registers=(register(), register(name="s"))),
     "s: offset 0x0 is taken or out of order"),
    (lambda: Block(name="b", address_bits=3, registers=(register(offset=8),)),
     "b: 3 address bits do not reach 0x8"),
    (lambda: Block(name="b", address_bits=12, registers=(register(), register(offset=4))),
     "b: two registers have one name"),
])
def test_contradictions_are_named(make, message):
    with pytest.raises(DescriptionError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_registers_that_name_its_configuration(name):
    config = preset(name).replace(tree=TreeConfig(cache_sets=32, cache_ways=4))
    registers = RegisterMap(config)
    assert registers["tree_config"].field("sets").reset == 32
    assert registers["tree_config"].field("ways").reset == 4
    assert registers["tree_config"].field("levels").reset == config.levels
    assert 1 << registers["engine_config"].field("data_bytes_log2").reset == config.data_bytes
    assert registers["engine_config"].field("aes_bits").reset == config.aes_bits
    assert registers["engine_config"].field("slots").reset == config.domain_slots
    assert RegisterMap(config.replace(tree=None))["tree_config"].reset == 0


def test_header_is_c_and_says_what_the_description_says(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    config = preset("tiny")
    (tmp_path / "casemate_registers.h").write_text(header(config))
    names = [(f"CASEMATE_{r.name}_{f.name}".upper(), r.offset, f) for r in block(config)
             for f in r.fields]
    checks = [f"_Static_assert({name}_MASK == {f.mask:#x}u && {name}_SHIFT == {f.low}u, \"\");"
              for name, _, f in names]
    checks += [f"_Static_assert(CASEMATE_{r.name.upper()} == {r.offset}u, \"\");"
               for r in block(config)]
    checks.append("_Static_assert(CASEMATE_POLICY_FAILURE_LOCK_DOMAIN == 1, \"\");")
    source = tmp_path / "check.c"
    source.write_text("\n".join(['#include "casemate_registers.h"'] * 2 + checks) + "\n")
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", str(source), "-o",
                    str(tmp_path / "check.o")], check=True)
    assert c_header(block(config)) == header(config)


def test_name_map_packs_and_unpacks():
    registers = RegisterMap(preset("tiny"))
    assert registers.offset("policy") == 0x18
    value = registers.pack("policy", failure=2, lock=1)
    assert value == 0x8000_0002
    assert registers.unpack("policy", value) == {"failure": 2, "lock": 1}
    with pytest.raises(ValueError, match=re.escape("policy.failure = 0x4 does not fit 2 bits")):
        registers.pack("policy", failure=4)
    with pytest.raises(KeyError, match="register policy has no field 'mode'"):
        registers.pack("policy", mode=1)
    assert registers.statistics == tuple(name for name, _ in STATISTICS)
    assert len(registers) == len(set(registers))


def test_tables_name_every_register_and_field():
    overview, fields = register_tables("map"), register_tables("fields")
    for each in block(preset("latency")):
        assert f"| `{each.offset:#05x}` | `{each.name}` |" in overview
        for part in each.fields:
            assert f"`{part.name}`" in fields
    with pytest.raises(ValueError, match="there is no table 'x' of the registers"):
        register_tables("x")
