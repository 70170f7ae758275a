"""The keeper of leaves and tree: metadata cache, walks, write-backs, root."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig
from ..modes.gmac import Gmac, connect_gmac
from .accesses import Accesses
from .checker import Checker
from .choice import Choice
from .contents import Contents
from .directory import Directory
from .interface import MetadataSignature, failure_layout
from .pins import Pins
from .reclaimer import Reclaimer, reclaim_layout
from .root import RootDoor
from .steps import Steps
from .sweeper import Sweeper
from .table import NodeTable

__all__ = ["MetadataUnit", "statistics_layout"]


def statistics_layout() -> data.StructLayout:
    """Layout of events, a bit each, in the cycle in which they happen.

    ``access``: a new access. ``hit``: one found its leaf in the cache when it came.
    ``evicted``: a changed leaf or node leaves the cache. What goes to and from DRAM is counted on
    the bus.
    """
    return data.StructLayout({"access": 1, "hit": 1, "evicted": 1})


class MetadataUnit(wiring.Component):
    """Answers accesses from verified leaves, and keeps every counter until it is in DRAM.

    An access that hits is answered 4 cycles later; one access per cycle. A miss fetches the leaf
    and every ancestor below the first one in the cache at once, and verifies them from the top as
    they come; a read gets a hint as soon as its leaf is there and its counter known. Several misses
    are on their way at once, up to ``walks`` leaves or nodes of each level; two that need one node
    share it.

    A leaf or node that was changed is written to DRAM when its way is needed: its counter in the
    parent is raised, in the cache if the parent is there; otherwise the parent is fetched, changed
    and written through in its turn, without a place in the cache. So a write-back needs no way of
    the cache, and each entry waits only for entries of the level above: with a cache of two ways
    there is no circle.

    Members
    -------
    data_path: In(MetadataSignature(config))
    failure: Out(stream.Signature(failure_layout(config)))
        Leaves and nodes that failed.
    locked: In(1)
        Every access, those that wait included, is answered with FAILED.
    flush, invalidate: In(1), busy: Out(1)
        Begin to write back everything, or to empty the cache as well; until it is done, or the
        unit is locked. What a walk brings meanwhile stays.
    reclaim: In(stream.Signature(reclaim_layout(config))), reclaim_failed: Out(1)
        Granules to be taken back from their owners; see ``Reclaimer``. Ready when the last range is
        done: what comes later finds them without an owner.
    round_key: In(RoundKeyWrite(1))
        Without a shared GMAC: round keys of K4.
    ready: Out(1)
        Root and directory are empty and K4 is loaded; until then accesses wait.
    idle: Out(1)
        Nothing is on its way.
    statistics: Out(statistics_layout())
    door: In(RootDoor(config))
        For simulations.
    """

    data_path: wiring.PureInterface
    failure: stream.Interface
    reclaim: stream.Interface
    locked: Signal
    ready: Signal

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        super().__init__({
            "data_path": In(MetadataSignature(config)),
            "failure": Out(stream.Signature(failure_layout(config))),
            "reclaim": In(stream.Signature(reclaim_layout(config))), "reclaim_failed": Out(1),
            "locked": In(1), "flush": In(1), "invalidate": In(1), "busy": Out(1),
            **({} if config.tree.shared_gmac else {"round_key": In(RoundKeyWrite(1))}),
            "ready": Out(1), "idle": Out(1),
            "statistics": Out(statistics_layout()), "door": In(RootDoor(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, path = self._config, self.data_path
        m.submodules.directory = directory = Directory(config)
        m.submodules.table = table = NodeTable(config)
        m.submodules.pins = pins = Pins(config)
        m.submodules.choice = choice = Choice(config, pins=pins)
        m.submodules.steps = steps = Steps(config, directory=directory, table=table, pins=pins)
        m.submodules.accesses = accesses = Accesses(config)
        m.submodules.contents = contents = Contents(config)
        m.submodules.checker = checker = Checker(config)
        m.submodules.sweeper = sweeper = Sweeper(config)
        m.submodules.reclaimer = reclaimer = Reclaimer(config)

        keyed = self._elaborate_gmac(m, checker)
        connect(m, flipped(self.door), contents.door)
        connect(m, table.failure, flipped(self.failure))
        connect(m, accesses.retry, choice.retry)
        connect(m, table.request, choice.request)
        connect(m, table.leave, choice.leave)
        connect(m, sweeper.o, choice.sweep)
        connect(m, flipped(self.reclaim), reclaimer.i)
        connect(m, reclaimer.o, choice.reclaim)
        connect(m, table.pad, checker.pad)
        connect(m, table.seal, checker.seal)
        connect(m, choice.o, steps.i)
        connect(m, steps.job, contents.i)
        connect(m, checker.slot, contents.row)
        connect(m, checker.read, contents.read)
        for ours, theirs in (
                (path.answer, contents.answer), (path.fetch, table.fetch),
                (path.store, checker.store), (path.drain, checker.drain)):
            m.d.comb += [ours.valid.eq(theirs.valid), ours.payload.eq(theirs.payload)]
            if theirs is not contents.answer:
                m.d.comb += theirs.ready.eq(ours.ready)
        m.d.comb += [
            choice.close.valid.eq(path.close.valid), choice.close.payload.eq(path.close.payload),
            checker.row.valid.eq(path.row.valid), checker.row.payload.eq(path.row.payload),
            path.row.ready.eq(checker.row.ready),
            accesses.i.valid.eq(path.access.valid), accesses.i.payload.eq(path.access.payload),
            path.access.ready.eq(accesses.i.ready),
            choice.access.valid.eq(path.access.valid),
            choice.access.payload.eq(path.access.payload),
            accesses.direct.eq(choice.access.ready),
        ]

        m.d.comb += [
            self.ready.eq(directory.ready & contents.ready & keyed),
            choice.enable.eq(self.ready), steps.locked.eq(self.locked),
            choice.eager.eq(accesses.eager | reclaimer.eager),
            reclaimer.done.eq(steps.reclaimed), reclaimer.refused.eq(steps.reclaim_refused),
            reclaimer.park.eq(steps.reclaim_park), reclaimer.again.eq(steps.reclaim_again),
            reclaimer.seat.eq(steps.seat), reclaimer.park_on.eq(steps.park_on),
            reclaimer.over.eq(table.over), reclaimer.room.eq(table.walk_room),
            reclaimer.stop.eq(self.locked), self.reclaim_failed.eq(reclaimer.failed),
            accesses.locked.eq(self.locked), accesses.room.eq(table.walk_room),
            accesses.here.eq(table.here), accesses.trusted.eq(table.trusted),
            accesses.over.eq(table.over),
            accesses.park.eq(steps.park), accesses.park_id.eq(steps.park_id),
            accesses.park_on.eq(steps.park_on), accesses.ask.eq(steps.ask),
            accesses.told.eq(contents.told), accesses.told_id.eq(contents.told_id),
            accesses.told_hint.eq(contents.told_hint), path.confirm.eq(accesses.confirm),
            contents.close.eq(choice.closed), contents.look_entry.eq(checker.look_entry),
            checker.old.eq(contents.old), checker.new.eq(contents.new),
            checker.address.eq(table.address_of(
                checker.address_entry.level, checker.address_entry.index)),
            pins.cancel.eq(contents.cancel), pins.cancel_entry.eq(contents.cancel_entry),
        ]
        # What happens to entries.
        good = ~path.stored_response[1]
        for name, parts in (("counted", ("counter_zero", "parent_trusted", "parent")),
                            ("raised", ()), ("exhausted", ())):
            m.d.comb += [
                getattr(table, f"{name}_entry").eq(getattr(contents, f"{name}_entry")),
                *(getattr(table, part).eq(getattr(contents, part)) for part in (name, *parts)),
            ]
        for name, part in (("arrive", "arrive_response"), ("check", "check_good")):
            m.d.comb += [getattr(table, each).eq(getattr(checker, each))
                         for each in (name, f"{name}_entry", part)]
        with m.If(path.stored):
            m.d.comb += [table.unstored.eq(~good), table.unstored_entry.eq(path.stored_entry)]
        m.d.comb += table.stored.eq(path.stored & good)
        m.d.comb += table.stored_entry.eq(path.stored_entry)

        m.d.comb += [
            sweeper.flush.eq(self.flush), sweeper.invalidate.eq(self.invalidate),
            self.busy.eq(sweeper.busy), sweeper.done.eq(steps.swept),
            sweeper.again.eq(steps.again), sweeper.written.eq(table.write_backs_idle),
            sweeper.stop.eq(self.locked),
            self.idle.eq(table.idle & ~sweeper.busy & ~reclaimer.busy),
            self.statistics.access.eq(path.access.valid & path.access.ready),
            choice.retry_first.eq(accesses.retry_first),
            choice.retry_asked.eq(accesses.retry_asked),
            choice.retry_hinted.eq(accesses.retry_hinted),
            self.statistics.hit.eq(steps.hit), self.statistics.evicted.eq(steps.evicted),
        ]
        return m

    def _elaborate_gmac(self, m: Module, checker: Checker) -> Signal:
        """Give the checker what makes its MACs; return whether K4 is there."""
        config, tree = self._config, self._tree
        if tree.shared_gmac:
            connect(m, checker.gmac, flipped(self.data_path.gmac))
            return self.data_path.gmac_loaded
        m.submodules.gmac = gmac = Gmac(
            tree.pad_cipher, aes_bits=config.aes_bits, lanes=config.lanes, keys=1,
            entries=config.node_entries, stages=tree.multiplier_stages, tag=1,
            erasable=config.keys is not None)
        connect_gmac(m, checker.gmac, gmac)
        connect(m, flipped(self.round_key), gmac.round_key)
        return gmac.loaded
