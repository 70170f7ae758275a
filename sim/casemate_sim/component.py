"""Any component of the hardware, Verilated: whole vector files in seconds.

Amaranth's own simulator runs an unrolled AES at some tens of cycles a second. Here a component's
ports are packed into one input and one output word, so that one small C++ loop serves every
component; Python hands over the stimulus of many cycles in a single call. Builds are cached by
their content (see ``build``).
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from casemate.export import convert_verilog

from casemate_sim.build import cached, digest_of, verilate_small
from casemate_sim.native import roms
from casemate_sim.native.roms import share_roms
from casemate_sim.synthesis.mapped import SOURCES, mapped_verilog
from casemate_sim.toolchain import package_versions, toolchain

__all__ = ["NativeComponent"]

_TOP = "casemate_component"
_FILE = "component.v"

_HARNESS = r"""
#include "Vcasemate_component.h"
#include <cstdint>
#include <cstring>

struct Simulation {
    VerilatedContext context;
    Vcasemate_component model{&context};
};

double sc_time_stamp() { return 0; }

extern "C" {

void simulation_reset(void *handle) {
    auto &model = static_cast<Simulation *>(handle)->model;
    model.rst = 1;
    for (int cycle = 0; cycle < 2; cycle++) {
        model.clk = 0;
        model.eval();
        model.clk = 1;
        model.eval();
    }
    model.rst = 0;
}

void *simulation_create() {
    auto *simulation = new Simulation;
    simulation_reset(simulation);
    return simulation;
}

void simulation_destroy(void *handle) { delete static_cast<Simulation *>(handle); }

// Outputs are those of the end of each cycle, just before its clock edge. With a stride of 0 all
// cycles share one input; with `every` 0 only the last cycle's outputs are kept.
void simulation_run(void *handle, const uint32_t *inputs, long stride, uint32_t *outputs,
                    int every, long cycles) {
    auto &model = static_cast<Simulation *>(handle)->model;
    for (long cycle = 0; cycle < cycles; cycle++) {
        std::memcpy(&model.inputs[0], inputs, sizeof(model.inputs));
        inputs += stride;
        model.clk = 0;
        model.eval();
        if (every || cycle == cycles - 1) {
            std::memcpy(outputs, &model.outputs[0], sizeof(model.outputs));
            if (every) outputs += sizeof(model.outputs) / sizeof(uint32_t);
        }
        model.clk = 1;
        model.eval();
    }
}

}
"""

_SAVING = r"""
#include "Vcasemate_component___024root.h"

extern "C" {

long simulation_size() { return sizeof(Vcasemate_component___024root); }

// The whole design is one structure without anything on the heap; see NativeComponent.
void simulation_save(void *handle, void *state) {
    std::memcpy(state, static_cast<Simulation *>(handle)->model.rootp, simulation_size());
}

void simulation_load(void *handle, const void *state) {
    std::memcpy(static_cast<void *>(static_cast<Simulation *>(handle)->model.rootp), state,
                simulation_size());
}

}
"""


def _leaves(name: str, value: object) -> Iterator[tuple[str, Value]]:
    if isinstance(value, data.View) and isinstance(value.shape(), data.StructLayout):
        for field, _ in value.shape():
            yield from _leaves(f"{name}_{field}", value[field])
    elif not isinstance(Value.cast(value), Const):  # a stream that is always ready
        yield name, Value.cast(value)


class _Packed(wiring.Component):
    """A component behind one input word and one output word, each wider than 64 bits."""

    def __init__(self, component: wiring.Component):
        self._component = component
        self.leaves: dict[bool, dict[str, Value]] = {True: {}, False: {}}
        for path, member, value in component.signature.flatten(component):
            name = "_".join(str(part) for part in path if part != "payload")
            self.leaves[member.flow is In].update(_leaves(name, value))
        super().__init__({"inputs": In(max(65, self._width(True))),
                          "outputs": Out(max(65, self._width(False)))})

    def _width(self, flow: bool) -> int:
        return sum(len(value) for value in self.leaves[flow].values())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.component = self._component
        clocked = Signal()  # so that there is a clock even if the component has no register
        m.d.sync += clocked.eq(~clocked)
        position = 0
        for value in self.leaves[True].values():
            m.d.comb += value.eq(self.inputs[position:position + len(value)])
            position += len(value)
        m.d.comb += self.outputs.eq(Cat(self.leaves[False].values()))
        return m


class NativeComponent:
    """A simulation of one component.

    Names of ports are those of the exported Verilog: the port's path joined with underscores,
    without the word `payload`; each field of a structure is a port: ``i_valid``, ``i_block``.

    Parameters
    ----------
    component:
        What is simulated; reset was applied.
    optimise:
        Option of the C++ compiler. ``-O0`` builds a little faster and runs eight times slower.
    transform:
        Changes the Verilog before it is built.
    netlist:
        Simulate what synthesis makes of it, see ``synthesis.mapped``.
    savable:
        Its state can be kept, and it can go back to it.
    source:
        Digest of all that the Verilog depends on, `transform` too: it is then kept in the cache.
        Without it every simulation elaborates the component again.

    Raises
    ------
    casemate_sim.toolchain.ToolError
        If a program is missing or fails.
    ValueError
        If its state cannot be kept: Verilator did not make one structure of the whole design.
    """

    def __init__(self, component: wiring.Component, *, optimise: str = "-O1",
                 transform: Callable[[str], str] = str, netlist: bool = False,
                 source: str | None = None, savable: bool = False):
        packed = _Packed(component)
        self._inputs = _fields(packed.leaves[True])
        self._outputs = _fields(packed.leaves[False])
        self._input_bytes = 4 * -(-len(packed.inputs) // 32)
        self._output_bytes = 4 * -(-len(packed.outputs) // 32)
        text = _exported(packed, transform, source, netlist=netlist)
        harness = _HARNESS + _SAVING if savable else _HARNESS

        def build(folder: Path) -> None:
            (folder / _FILE).write_text(text)
            (folder / "harness.cpp").write_text(harness)
            verilate_small(folder / _FILE, top=_TOP, output=folder / "component.so",
                           harness=folder / "harness.cpp", optimise=optimise)

        self.digest = digest_of(text, harness, optimise, toolchain().versions)
        """Names what is simulated, and the tools that built it."""
        folder = cached("component", self.digest, build)
        parts = [path.name for path in (folder / "verilated").glob(f"V{_TOP}_*.h")
                 if not path.name.endswith(("__Syms.h", "__pch.h", "___024root.h"))]
        if savable and parts:
            raise ValueError(f"its state is in several structures: {', '.join(parts)}")
        self._library = ctypes.CDLL(str(folder / "component.so"))
        self._library.simulation_create.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._library.simulation_create())
        weakref.finalize(self, self._library.simulation_destroy, self._handle)

    def restart(self) -> None:
        """Reset it: registers begin again, memories keep what they hold, as on a chip."""
        self._library.simulation_reset(self._handle)

    def save(self) -> bytes:
        """Return the state, memories included."""
        state = ctypes.create_string_buffer(self._library.simulation_size())
        self._library.simulation_save(self._handle, state)
        return state.raw

    def load(self, state: bytes) -> None:
        """Go back to a state of this simulation; one of another has addresses that are not here."""
        self._library.simulation_load(self._handle, state)

    def run(self, stimuli: Sequence[Mapping[str, int]],
            names: Sequence[str] | None = None) -> list[dict[str, int]]:
        """Run one cycle for each stimulus; inputs that it does not name are 0.

        Parameters
        ----------
        names:
            Outputs that are wanted; all by default.

        Returns
        -------
        list of dict
            The outputs at the end of each cycle, before its clock edge.
        """
        words = b"".join(self._pack(stimulus) for stimulus in stimuli)
        results = ctypes.create_string_buffer(self._output_bytes * len(stimuli))
        self._call(words, self._input_bytes // 4, results, 1, len(stimuli))
        size = self._output_bytes
        raw = results.raw
        return [self._unpack(raw[at:at + size], names)
                for at in range(0, size * len(stimuli), size)]

    def step(self, stimulus: Mapping[str, int], cycles: int = 1) -> dict[str, int]:
        """Run some cycles with the same inputs; return the outputs of the last."""
        results = ctypes.create_string_buffer(self._output_bytes)
        self._call(self._pack(stimulus), 0, results, 0, cycles)
        return self._unpack(results.raw)

    def _call(self, words: bytes, stride: int, results: ctypes.Array, every: int,
              cycles: int) -> None:
        self._library.simulation_run(self._handle, words, ctypes.c_long(stride), results,
                                     ctypes.c_int(every), ctypes.c_long(cycles))

    def _pack(self, stimulus: Mapping[str, int]) -> bytes:
        total = 0
        for name, value in stimulus.items():
            position, width = self._inputs[name]
            if value >> width:
                raise ValueError(f"{name} has {width} bits, too few for {value:#x}")
            total |= value << position
        return total.to_bytes(self._input_bytes, "little")

    def _unpack(self, raw: bytes, names: Sequence[str] | None = None) -> dict[str, int]:
        total = int.from_bytes(raw, "little")
        wanted = self._outputs if names is None else {name: self._outputs[name] for name in names}
        return {name: total >> position & (1 << width) - 1
                for name, (position, width) in wanted.items()}


def _exported(packed: _Packed, transform: Callable[[str], str], source: str | None, *,
              netlist: bool) -> str:
    convert = mapped_verilog if netlist else convert_verilog

    def text() -> str:
        return share_roms(transform(convert(packed, name=_TOP)))

    if source is None:
        return text()
    key = digest_of(source, netlist, package_versions("amaranth", "pyosys"), files=[
        Path(__file__), Path(roms.__file__), *(SOURCES if netlist else ())])
    return (cached("verilog-component", key, lambda folder: (folder / _FILE).write_text(text()))
            / _FILE).read_text()


def _fields(leaves: Mapping[str, Value]) -> dict[str, tuple[int, int]]:
    widths = [len(value) for value in leaves.values()]
    return dict(zip(leaves, zip(accumulate(widths, initial=0), widths, strict=False),
                    strict=True))
