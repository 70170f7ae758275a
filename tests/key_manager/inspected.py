"""A component in Amaranth's simulator, with all that it holds in view."""

from amaranth import Shape
from amaranth.lib import data, enum
from amaranth.sim import Simulator
from casemate.export import FlatPorts


class Inspected:
    """As ``NativeComponent``, slower; ``contents`` yields every signal and every row of a RAM."""

    def __init__(self, component):
        flat = FlatPorts(component)
        self._ports, self._inputs = flat.ports, flat.inputs
        self._simulator = Simulator(flat)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._run)
        self._given, self._seen, self._cycle = {}, {}, 0

    def restart(self):
        assert self._cycle == 0, "it starts once"

    def step(self, given, cycles=1):
        for _ in range(cycles):
            self._given = given
            self._cycle += 1
            self._simulator.run_until(self._cycle * 1e-6)
        return self._seen

    async def _run(self, ctx):
        names = {}
        while True:
            await ctx.tick()
            for name in {*names, *self._given}:
                value = int(self._given.get(name, 0))
                if names.get(name) != value:
                    ctx.set(self._ports[name], value)
                    names[name] = value
            self._seen = {name: _integer(ctx.get(port)) for name, port in self._ports.items()
                          if name not in self._inputs}

    def contents(self):
        """Yield the name, the width and the value of everything that has a value."""
        for state in self._simulator._engine._state.slots:
            if hasattr(state, "curr"):
                yield state.signal.name, len(state.signal), state.curr
            else:
                width = Shape.cast(state.memory.shape).width
                for index, row in enumerate(state.data):
                    yield f"{state.memory.name}[{index}]", width, row


def _integer(value):
    if isinstance(value, data.Const):
        return value.as_value().value
    return value.value if isinstance(value, enum.Enum) else value
