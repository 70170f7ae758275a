"""Names and directions of the exported ports."""

import gc
import re

import pytest
from amaranth import Instance, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.config import FuseConfig, KeyManagerConfig, TreeConfig, preset
from casemate.export import FlatPorts, convert_verilog
from casemate.top import Casemate


class Adder(wiring.Component):
    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"a": 4, "b": 5}))),
            "sum": Out(6),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.sum.eq(self.i.payload.a + self.i.payload.b)
        return m


class Clash(wiring.Component):
    """A field and the stream's own signal with one name."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(data.StructLayout({"valid": 1})))})

    def elaborate(self, platform):
        return Module()


def test_fields_and_members_become_ports_with_their_directions():
    verilog = convert_verilog(Adder(), name="adder").partition("module adder(")[2]
    verilog = verilog.partition("endmodule")[0]
    ports = {name: (kind, int(high or 0) + 1) for kind, high, name in re.findall(
        r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", verilog, re.MULTILINE)}
    assert ports == {
        "clk": ("input", 1), "rst": ("input", 1), "i_a": ("input", 4), "i_b": ("input", 5),
        "i_valid": ("input", 1), "i_ready": ("output", 1), "sum": ("output", 6)}


class Partly(wiring.Component):
    """A structure of which one field never changes and another one is decided by a condition."""

    def __init__(self):
        super().__init__({"i": In(1), "o": Out(data.StructLayout({"fixed": 4, "chosen": 1}))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.o.fixed.eq(9), self.o.chosen.eq(0)]
        with m.If(self.i):
            m.d.comb += self.o.chosen.eq(1)
        return m


def test_a_constant_part_of_a_variable_is_driven_from_the_start():
    verilog = convert_verilog(Partly(), name="partly")
    # A block without an input would never run.
    assert not re.search(r"always @\*\n +\S+ \[3:0\] = 4'h9;", verilog)
    assert re.search(r"always @\* begin\n +if \(\S+ \) begin end\n +\S+ ?\[3:0\] = 4'h9;", verilog)


class Kept(wiring.Component):
    """An instance that synthesis must not touch."""

    def __init__(self):
        super().__init__({"o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net = Signal(attrs={"keep": 1})
        m.submodules.gate = Instance("LUT4", ("a", "keep", 1), ("o", "Z", net))
        m.d.comb += self.o.eq(net)
        return m


def test_what_synthesis_must_keep_is_marked():
    verilog = convert_verilog(Kept(), name="kept")
    assert re.search(r"^ *\(\* keep = \S+ \*\)\n +wire net;", verilog, re.MULTILINE)
    assert re.search(r"^ *\(\* keep = \S+ \*\)\n +LUT4 gate", verilog, re.MULTILINE)
    assert "module_not_derived" not in verilog


def test_the_text_does_not_depend_on_earlier_exports():
    assert convert_verilog(Partly(), name="partly") == convert_verilog(Partly(), name="partly")


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_two_ports_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two ports would be called 'i_valid'"):
        FlatPorts(Clash())
    gc.collect()  # while the warning that nobody elaborated it is off


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_every_signal_of_the_engine_is_a_port():
    engine = Casemate(preset("tiny"))
    flat = FlatPorts(engine)
    bits = sum(len(value.as_value() if isinstance(value, data.View) else value)
               for _, _, value in engine.signature.flatten(engine))
    assert sum(len(port) for port in flat.ports.values()) == bits
    assert {"slot_valid", "slot_enable", "key_key", "s_axi_awuser"} <= flat.inputs
    assert not {"slot_ready", "idle", "m_axi_awid"} & flat.inputs
    del engine, flat
    gc.collect()


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_an_engine_with_fuses_has_their_pins():
    keys = KeyManagerConfig(fuses=FuseConfig())
    flat = FlatPorts(Casemate(preset("tiny").replace(tree=TreeConfig(), keys=keys)))
    pins = {name: len(port) for name, port in flat.ports.items()
            if not name.startswith(("s_axi", "m_axi"))}
    inputs = {name: pins.pop(name) for name in flat.inputs & set(pins)}
    assert inputs == {"otp_ready": 1, "otp_valid": 1, "otp_data": 39, "otp_busy": 1,
                      "otp_done": 1, "otp_error": 1, "entropy": 32, "entropy_valid": 1,
                      "tamper": 1}
    assert pins == {"otp_read": 1, "otp_address": 6, "otp_program": 1, "otp_program_data": 39,
                    "entropy_ready": 1, "debug_enable": 1, "idle": 1, "irq": 1,
                    "alert_integrity": 1, "alert_fatal": 1}
    del flat
    gc.collect()
