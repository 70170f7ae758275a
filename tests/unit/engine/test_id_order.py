"""Linked lists of entries by AXI ID, against a list in Python."""

import random

import pytest
from amaranth.sim import Simulator
from casemate.engine.id_order import IdOrder


@pytest.mark.parametrize("seed", range(4))
def test_entries_wait_exactly_for_older_ones_of_their_id(seed):
    print(f"seed {seed}")
    entries, id_bits = 8, 2
    dut = IdOrder(entries, id_bits)

    async def bench(ctx):
        rng = random.Random(seed)
        lists = {n: [] for n in range(1 << id_bits)}
        free = set(range(entries))
        for _ in range(2000):
            heads = [queue[0] for queue in lists.values() if queue]
            for queue in lists.values():
                for position, entry in enumerate(queue):
                    assert ctx.get(dut.waiting) >> entry & 1 == (position > 0)
            if heads:
                queue = rng.choice([queue for queue in lists.values() if queue])
                ctx.set(dut.look_index, queue[0])
                assert ctx.get(dut.follows) == (1 << queue[1] if len(queue) > 1 else 0)
            remove = rng.choice(heads) if heads and rng.random() < 0.5 else None
            add = rng.choice(sorted(free)) if free and rng.random() < 0.6 else None
            tag = rng.randrange(1 << id_bits)
            ctx.set(dut.remove, remove is not None)
            ctx.set(dut.remove_index, remove or 0)
            ctx.set(dut.add, add is not None)
            ctx.set(dut.add_index, add or 0)
            ctx.set(dut.add_id, tag)
            await ctx.tick()
            if remove is not None:
                for queue in lists.values():
                    if queue and queue[0] == remove:
                        queue.pop(0)
                free.add(remove)
            if add is not None:
                lists[tag].append(add)
                free.discard(add)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
