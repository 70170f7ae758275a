"""The register file against its description, with random accesses."""

import random

import pytest
from amaranth.sim import Simulator
from casemate.csr.description import Access, Block, Field, Register
from casemate.csr.file import RegisterFile


def field(name, bits, low, access, reset=0):
    return Field(name=name, bits=bits, low=low, access=access, reset=reset, text="Text.")


BLOCK = Block(name="test", address_bits=6, registers=(
    Register(name="fixed", offset=0x00, text="T.", fields=(
        field("value", 32, 0, Access.CONSTANT, 0xC0FFEE),)),
    Register(name="shown", offset=0x04, text="T.", fields=(
        field("a", 3, 1, Access.READ), field("b", 8, 16, Access.READ))),
    Register(name="kept", offset=0x08, text="T.", fields=(
        field("a", 12, 2, Access.STORED, 0x123), field("b", 1, 31, Access.STORED))),
    Register(name="locked", offset=0x10, text="T.", fields=(
        field("a", 8, 0, Access.LOCKABLE, 5), field("lock", 1, 9, Access.SET_ONCE))),
    Register(name="events", offset=0x14, text="T.", fields=(
        field("a", 4, 0, Access.CLEARED), field("b", 2, 8, Access.CLEARED))),
    Register(name="start", offset=0x18, text="T.", fields=(
        field("a", 1, 0, Access.COMMAND), field("b", 1, 4, Access.COMMAND))),
    Register(name="queue", offset=0x1C, text="T.", fields=(field("a", 16, 3, Access.TAKEN),)),
    Register(name="table", offset=0x20, text="T.", fields=(field("a", 32, 0, Access.WINDOW),)),
    Register(name="secret", offset=0x24, text="T.", fields=(
        field("a", 20, 4, Access.HIDDEN), field("b", 1, 31, Access.HIDDEN))),
))
INPUTS = {Access.READ: "{}", Access.TAKEN: "{}", Access.CLEARED: "{}_set",
          Access.COMMAND: "{}_busy"}
FORGET = {("secret", name): f"{name}_forget" for name in ("a", "b")}


@pytest.mark.parametrize("seed", range(3))
def test_random_accesses_do_what_the_description_says(seed):
    print(f"seed {seed}")
    dut = RegisterFile(BLOCK)
    by_number = {register.offset // 4: register for register in BLOCK}

    async def bench(ctx):
        rng = random.Random(seed)
        kept = {(r.name, f.name): f.reset for r in BLOCK for f in r.fields}
        for _ in range(6000):
            number = rng.randrange(16)
            register = by_number.get(number)
            given = {}
            for each in BLOCK:
                for f in each.fields:
                    if f.access in INPUTS:
                        given[each.name, f.name] = rng.getrandbits(f.bits) & rng.getrandbits(f.bits)
                        port = INPUTS[f.access].format(f.name)
                        ctx.set(getattr(getattr(dut.registers, each.name), port),
                                given[each.name, f.name])
            forgotten = {key for key in FORGET if rng.random() < 0.1}
            for key, port in FORGET.items():
                ctx.set(getattr(dut.registers.secret, port), key in forgotten)
            window, window_wait = rng.getrandbits(32), rng.randrange(2)
            write = register is not None and rng.random() < 0.4
            data, mask = rng.getrandbits(32), rng.choice((0xFFFFFFFF, 0xFF, 0xFF0000FF))
            if rng.random() < 0.75:
                data &= ~(1 << 9)  # otherwise the lock is set too early
            ctx.set(dut.window, window)
            ctx.set(dut.window_wait, window_wait)
            ctx.set(dut.bus.address, number)
            ctx.set(dut.bus.write, write)
            ctx.set(dut.bus.read, register is not None and not write)
            ctx.set(dut.bus.write_data, data)
            ctx.set(dut.bus.write_mask, mask)
            assert ctx.get(dut.bus.known) == (register is not None)
            expected = 0
            for f in register.fields if register else ():
                value = (f.reset if f.access is Access.CONSTANT
                         else 0 if f.access is Access.HIDDEN
                         else window if f.access is Access.WINDOW
                         else given[register.name, f.name] if f.access in
                         (Access.READ, Access.TAKEN, Access.COMMAND)
                         else kept[register.name, f.name])
                expected |= value << f.low
            assert ctx.get(dut.bus.read_data) == expected
            assert ctx.get(dut.bus.wait) == (register is not None and register.name == "table"
                                             and window_wait)
            taken = register is not None and register.name == "queue" and not write
            assert ctx.get(dut.registers.queue.taken) == taken
            for f in BLOCK.register("start").fields:
                started = (write and register.name == "start" and data & mask & f.mask
                           and not given["start", f.name])
                assert ctx.get(getattr(dut.registers.start, f"{f.name}_start")) == bool(started)
            locked = kept["locked", "lock"]
            for f in register.fields if write else ():
                key, old = (register.name, f.name), kept[register.name, f.name]
                new = (data & mask & f.mask) >> f.low
                changed = (mask & f.mask) >> f.low
                if f.access in (Access.STORED, Access.HIDDEN) or (
                        f.access is Access.LOCKABLE and not locked):
                    kept[key] = old & ~changed | new
                elif f.access is Access.SET_ONCE:
                    kept[key] = old | new
                elif f.access is Access.CLEARED:
                    kept[key] = old & ~new
            for (name, part), value in given.items():
                if BLOCK.register(name).field(part).access is Access.CLEARED:
                    kept[name, part] |= value
            for key in forgotten:
                kept[key] = 0
            await ctx.tick()
            for name, part in (("kept", "a"), ("kept", "b"), ("locked", "a"), ("locked", "lock"),
                               ("events", "a"), ("events", "b"), *FORGET):
                assert ctx.get(getattr(getattr(dut.registers, name), part)) == kept[name, part]
        assert kept["locked", "lock"]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
