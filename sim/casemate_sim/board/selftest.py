"""A board's self-test: everything that it should do, through its serial line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from casemate.alert.layouts import LogKind
from casemate.config import LINE_BYTES
from casemate.fuse.codes import FailurePolicy, KeySize, LifeCycle
from casemate.key_manager.layouts import KeyState

from casemate_sim.board.config import Entropy
from casemate_sim.board.driver import OKAY, SLVERR, Board, Run
from casemate_sim.board.serial import PortError
from casemate_sim.driver import DriverError
from casemate_sim.fuses.driver import Fuses
from casemate_sim.steps import Step
from casemate_sim.workload import Workload, generate

__all__ = ["LAST_STEP", "STEPS", "SelfTest"]

_DEVICE, _SERIAL = b"self-test board.", b"00000001"
_SHARE = bytes(range(0x80, 0xA0))
_OWNER, _OTHER = 5, 6
_TEXT = b"what only its owner may read ..." * 2
_REFUSED = (SLVERR, bytes(LINE_BYTES))
_TRACE_LINES, _TRACE_RECORDS = 64, 512


class SelfTest:
    """One self-test of one board.

    Fuses that are blank get a root key; those of a device in another state of life than that and
    production are left alone, and the test ends.

    Parameters
    ----------
    board:
        The board. Whatever it did before is gone afterwards.
    open_case:
        Do `LAST_STEP`, too.

    Attributes
    ----------
    planned:
        Titles and steps of this test.
    run:
        The run of the trace, once it is over.
    """

    def __init__(self, board: Board, *, open_case: bool = False) -> None:
        self.board = board
        self.planned = (*STEPS, LAST_STEP) if open_case else STEPS
        self.run: Run | None = None

    def steps(self) -> Iterator[Step]:
        """Yield each step when it is over; the first one that deviates is the last.

        What goes wrong with the line itself is raised: it says nothing of the board.
        """
        for title, act in self.planned:
            step, before = Step(title), self.board.cycles
            try:
                act(self, step)
            except PortError:
                raise
            except DriverError as error:
                step.check(f"{error}", False)
            step.cycles = (self.board.cycles - before) & 0xFFFF_FFFF
            yield step
            if not step.ok:
                return

    # -- what steps need ---------------------------------------------------------------------

    def _protected(self, step: Step, what: str) -> None:
        """Reset, wait for the boot, and look at the LEDs."""
        self.board.reset()
        self.board.engine.wait_for_boot()
        self.board.wait("state", "the boot", booting=0)
        step.check(f"{what}: LED `protected`", self.board.state == "protected")

    def _write(self, line: int, data: bytes) -> None:
        response = self.board.write_line(_OWNER, line, data)
        if response != OKAY:
            raise DriverError(f"a write of line {line} is answered with BRESP {response}")

    def _metadata(self, line: int) -> list[int]:
        """Return the addresses of a line, its leaf, and the nodes above it."""
        config = self.board.config.engine
        addresses, number = [config.data_base + line * LINE_BYTES], line // config.leaf.lines
        for region in config.regions[1:]:
            addresses.append(region.base + number * LINE_BYTES)
            number //= 8
        return addresses

    def _detected(self, step: Step, line: int, kinds: set[LogKind]) -> None:
        """Read a line that was changed, and look for the alarm."""
        step.check("the owner gets an error and zeros",
                   self.board.read_line(_OWNER, line) == _REFUSED)
        found = {entry.kind for entry in self.board.engine.errors()}
        names = ", ".join(sorted(kind.name.lower() for kind in found)) or "nothing"
        step.check(f"the error log says: {names}", found and found <= kinds)
        step.check("LED `tampered`", self.board.state == "tampered")

    # -- the steps ---------------------------------------------------------------------------

    def _identify(self, step: Step) -> None:
        board = self.board
        config = board.config.engine
        step.check(f"engine {board.engine.version}, {config.name} ({config.digest})", True)
        step.check(f"clock {board.clock_hertz / 1e6:g} MHz, memory "
                   f"{board.read('memory')['bytes']:,} bytes", board.clock_hertz > 0)
        step.check("entropy: ring oscillators" if board.entropy is Entropy.RINGS else
                   "entropy: a known seed, as in simulation: nothing on it is secret", True)

    def _provision(self, step: Step) -> None:
        board = self.board
        board.open_case(False)
        board.reset()
        fuses = Fuses(board.engine)
        fuses.wait_until_checked()
        step.check(f"life cycle: {fuses.life_cycle.name.lower()}",
                   fuses.life_cycle in (LifeCycle.BLANK, LifeCycle.PRODUCTION))
        if fuses.life_cycle is not LifeCycle.BLANK:
            return
        step.check("without a root key: LED `booting`", board.state == "booting")
        fuses.move(LifeCycle.TEST)
        board.reset()
        fuses.wait_until_checked()
        fuses.personalise(_DEVICE, _SERIAL, key_size=KeySize.AES_128,
                          policy=FailurePolicy.LOCK_DOMAIN)
        fuses.provision(_SHARE)
        board.reset()
        board.engine.wait_for_boot()
        fuses.move(LifeCycle.PRODUCTION)
        board.reset()
        fuses.wait_until_checked()
        step.check(f"device {fuses.device.decode()!r} has a root key that nobody knows",
                   fuses.life_cycle is LifeCycle.PRODUCTION and fuses.device == _DEVICE)

    def _boot(self, step: Step) -> None:
        self._protected(step, "after a reset")
        step.check(f"ready {self.board.engine.wait_for_boot():,} cycles after reset",
                   self.board.engine.key_state is KeyState.READY)

    def _domain(self, step: Step) -> None:
        board = self.board
        for domain in (_OWNER, _OTHER):
            board.engine.create(domain)
        self._write(0, _TEXT)
        step.check("a domain writes a line and reads it back",
                   board.read_line(_OWNER, 0) == (OKAY, _TEXT))
        seen = board.look(board.config.engine.data_base, LINE_BYTES)
        step.check("the memory holds something else", seen not in (_TEXT, bytes(LINE_BYTES)))
        step.check("another domain gets an error and zeros",
                   board.read_line(_OTHER, 0) == _REFUSED)
        step.check("and writes nothing",
                   board.write_line(_OTHER, 0, bytes(LINE_BYTES)) == SLVERR
                   and board.read_line(_OWNER, 0) == (OKAY, _TEXT))
        kinds = {entry.kind for entry in board.engine.errors()}
        step.check("the error log says: access", kinds == {LogKind.ACCESS})

    def _trace(self, step: Step) -> None:
        board = self.board
        footprint = _TRACE_LINES * LINE_BYTES
        fill = board.play(generate(Workload.STREAM, count=_TRACE_LINES, footprint_bytes=footprint,
                                   read_share=0.0), _OWNER, histograms=False)
        step.check(f"{fill.counters['writes']} lines written, {fill.counters['errors']} errors",
                   fill.counters["writes"] == _TRACE_LINES and not fill.counters["errors"])
        records = generate(Workload.RANDOM, count=_TRACE_RECORDS, footprint_bytes=footprint,
                           read_share=2 / 3, seed=1)
        run = self.run = board.play(records, _OWNER)
        counters = run.counters
        lines = counters["reads"] + counters["writes"]
        step.check(f"{counters['reads']} reads and {counters['writes']} writes, "
                   f"{counters['errors']} errors",
                   lines == len(records) and not counters["errors"])
        seconds = counters["cycles"] / board.clock_hertz
        latency = run.mean_latency("read_last")
        step.check(f"{counters['cycles']:,} cycles, {lines * LINE_BYTES / seconds / 1e6:.1f} MB/s; "
                   f"a read takes {latency or 0:.0f} cycles on average", latency)
        counted = sum(int(bins.sum()) for name, bins in run.histograms.items()
                      if name != "read_first")
        step.check("every line is in a latency histogram", counted == lines)
        engine = run.engine
        step.check(f"the engine looked up {engine['cache_accesses']} leaves and read "
                   f"{engine['lines_read']} lines of memory",
                   engine["cache_accesses"] > 0 and engine["lines_read"] > 0)
        step.check("no alarm", board.state == "protected" and not list(board.engine.errors()))

    def _inject(self, step: Step) -> None:
        board = self.board
        self._write(0, _TEXT)
        board.engine.invalidate()
        address = board.config.engine.data_base
        first = board.look(address, 4)
        board.inject(address, bytes((first[0] ^ 1,)) + first[1:])
        self._detected(step, 0, {LogKind.LINE})
        self._protected(step, "after a reset")

    def _replay(self, step: Step) -> None:
        board = self.board
        board.engine.create(_OWNER)
        self._write(0, _TEXT)
        board.engine.invalidate()
        old = {address: board.look(address, LINE_BYTES) for address in self._metadata(0)}
        self._write(0, _TEXT[::-1])
        board.engine.invalidate()
        new = {address: board.look(address, LINE_BYTES) for address in old}
        step.check(f"a write changes the line and what protects it: {len(old)} lines of memory",
                   all(old[address] != new[address] for address in old))
        for address, content in old.items():
            board.inject(address, content)
        self._detected(step, 0, {LogKind.NODE})
        self._protected(step, "after a reset")

    def _open_case(self, step: Step) -> None:
        board = self.board
        board.engine.create(_OWNER)
        self._write(0, _TEXT)
        board.open_case()
        step.check("LED `tampered`", board.state == "tampered")
        step.check("the keys are gone", board.engine.key_state is KeyState.ERASED)
        step.check("its owner gets an error and zeros", board.read_line(_OWNER, 0) == _REFUSED)
        board.open_case(False)
        board.reset()
        fuses = Fuses(board.engine)
        try:
            fuses.wait_until_checked()
            started = fuses.life_cycle is LifeCycle.PRODUCTION and board.engine.key_state \
                is not KeyState.ERASED
        except DriverError:
            started = False
        step.check("the root key is burnt: closed and reset, the device has no keys", not started)
        step.check("and its owner gets nothing", board.read_line(_OWNER, 0) == _REFUSED)


STEPS: tuple[tuple[str, Callable[[SelfTest, Step], None]], ...] = (
    ("Which board", SelfTest._identify),
    ("Fuses", SelfTest._provision),
    ("Boot", SelfTest._boot),
    ("A domain uses its memory", SelfTest._domain),
    ("A trace is played", SelfTest._trace),
    ("Somebody changes a bit of memory", SelfTest._inject),
    ("Somebody puts back what memory held before", SelfTest._replay),
)
"""Titles and steps, in order."""

LAST_STEP = ("Somebody opens the case", SelfTest._open_case)
"""A step behind which the board has no root key until its FPGA is configured again."""
