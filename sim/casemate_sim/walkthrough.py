"""A device's life in simulation: from blank fuses to tenants that nobody can spy on.

Every step does something, by registers and bus as on a board, and checks what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from casemate.alert.layouts import LogKind, Policy
from casemate.config import LINE_BYTES
from casemate.fuse.codes import FailurePolicy, KeySize, LifeCycle
from casemate.key_manager.layouts import KeyState

from casemate_sim.bench import OKAY, SLVERR, Bench
from casemate_sim.driver import Casemate, CommandError, DriverError
from casemate_sim.fuses.driver import FuseCommandError, Fuses
from casemate_sim.model.fuses import IDENTITY, SECRET, boot
from casemate_sim.steps import Step

__all__ = ["STEPS", "Walk"]

_DEVICE, _SERIAL = b"walk-through ...", b"00000001"
_SHARE = bytes(range(0x40, 0x60))
_GRANULE = 4 * LINE_BYTES
_ALICE, _BOB, _SUPERVISOR = 5, 6, 7
_TEXTS = {_ALICE: b"the diary of Alice ............." * 2,
          _BOB: b"the accounts of Bob ............" * 2}
_LINES = {_ALICE: (0, 4), _BOB: (8, 12)}  # two granules each
_REFUSED = (SLVERR, bytes(LINE_BYTES))


class Walk:
    """One device on its bench, step by step.

    Parameters
    ----------
    bench:
        A bench whose engine has fuses.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._passed = 0  # cycles before the last reset
        self._start([])

    def steps(self) -> Iterator[Step]:
        """Yield each step when it is over; the first one that deviates is the last."""
        for title, act in STEPS:
            step, before = Step(title), self._passed + self.bench.cycle
            try:
                act(self, step)
            except (DriverError, AssertionError) as error:
                step.check(f"{error}", False)
            step.cycles = self._passed + self.bench.cycle - before
            yield step
            if not step.ok:
                return

    # -- what steps need ---------------------------------------------------------------------

    def _start(self, image: list[int] | None = None) -> None:
        """Reset the device, perhaps with other fuses."""
        self._passed += self.bench.cycle
        self.bench.power_cycle(image)
        self.engine = Casemate(self.bench, self.bench.config)
        self.fuses = Fuses(self.engine)

    def _run(self, cycles: int) -> dict[str, int]:
        for _ in range(cycles - 1):
            self.bench.step()
        return self.bench.step()

    def _read(self, domain: int, line: int) -> tuple[int, bytes]:
        return self.bench.done(self.bench.read(domain, line))

    def _write(self, domain: int, line: int, data: bytes, *, claim: bool = True) -> int:
        return self.bench.done(self.bench.write(domain, line, data, claim=claim))[0]

    def _refused(self, domain: int, line: int) -> bool:
        return (self._read(domain, line) == _REFUSED
                and self._write(domain, line, b"injected" * 8) == SLVERR)

    def _registers(self) -> list[int]:
        """Read every register."""
        return [self.bench.read32(each.offset) for each in self.engine.registers.values()]

    # -- the steps ---------------------------------------------------------------------------

    def _blank(self, step: Step) -> None:
        self.fuses.wait_until_checked()
        step.check("life cycle: blank", self.fuses.life_cycle is LifeCycle.BLANK)
        step.check("without a root key every access is refused", self._refused(_ALICE, 0))
        step.check("no debugger gets in", not self._run(200)["debug_enable"])
        self.fuses.move(LifeCycle.TEST)
        self._start()

    def _personalise(self, step: Step) -> None:
        self.fuses.wait_until_checked()
        step.check("life cycle: test", self.fuses.life_cycle is LifeCycle.TEST)
        step.check("there is no secret yet: a debugger gets in", self._run(200)["debug_enable"])
        self.fuses.personalise(_DEVICE, _SERIAL, key_size=KeySize.AES_128,
                               policy=FailurePolicy.LOCK_DOMAIN)
        step.check("identity and configuration are programmed and locked", True)
        try:
            self.fuses.personalise(_SERIAL * 2, _SERIAL, key_size=KeySize.AES_128)
        except FuseCommandError as error:
            step.check(f"a second identity: {error}", True)
        else:
            step.check("a second identity is refused", False)

    def _provision(self, step: Step) -> None:
        taken = len(self.bench.drawn)
        self.fuses.provision(_SHARE)
        root = boot(self.bench.fuses.words).root_key
        assert root is not None, "the fuses hold no root key"
        drawn = [word.to_bytes(4, "little") for _, word in self.bench.drawn]
        step.check(f"the device drew {len(drawn) - taken} words of entropy meanwhile",
                   len(drawn) - taken >= 8)
        other = bytes(a ^ b for a, b in zip(root, _SHARE, strict=True))
        shares = [other[at:at + 4] for at in range(0, 32, 4)]
        step.check("root key = the licensee's share xor the drawn one",
                   any(drawn[at:at + 8] == shares for at in range(len(drawn))))
        secrets = {int.from_bytes(each[at:at + 4], "little")
                   for each in (root, _SHARE, other) for at in range(0, 32, 4)}
        step.check("no register shows a word of the key or of a share",
                   not secrets & set(self._registers()))
        step.check("no debugger gets in any more", not self._run(200)["debug_enable"])
        self._start()
        self.engine.wait_for_boot()
        self.fuses.move(LifeCycle.PRODUCTION)
        step.check("behind the change of life everything is closed", self._refused(_ALICE, 0)
                   and self.engine.key_state is KeyState.ERASED)
        self._start()

    def _boot(self, step: Step) -> None:
        cycles = self.engine.wait_for_boot()
        step.check(f"ready {cycles:,} cycles after reset, at most 3,000", cycles <= 3000)
        step.check("life cycle: production", self.fuses.life_cycle is LifeCycle.PRODUCTION)
        step.check(f"device {self.fuses.device.decode()!r}", self.fuses.device == _DEVICE)
        self.engine.set_policy(Policy.LOCK_DOMAIN)
        try:
            self.engine.set_policy(Policy.REPORT_ONLY)
        except DriverError:
            step.check("software cannot weaken the policy of the fuses", True)
        else:
            step.check("software cannot weaken the policy of the fuses", False)

    def _domains(self, step: Step) -> None:
        for domain in (_ALICE, _BOB):
            self.engine.create(domain)
        for domain, lines in _LINES.items():
            written = [self._write(domain, line, _TEXTS[domain]) for line in lines]
            read = [self._read(domain, line) for line in lines]
            step.check(f"domain {domain} writes {len(lines)} granules and reads them back",
                       set(written) == {OKAY} and set(read) == {(OKAY, _TEXTS[domain])})
        self.engine.flush()
        stored = set(self.bench.memory.values())
        step.check("DRAM holds none of their texts", stored and not stored & set(_TEXTS.values()))

    def _isolation(self, step: Step) -> None:
        self.engine.create(_SUPERVISOR)
        list(self.engine.errors())
        for name, domain in (("the other domain", _BOB), ("the supervisor's own", _SUPERVISOR)):
            step.check(f"{name} can neither read nor write what domain {_ALICE} owns",
                       self._refused(domain, _LINES[_ALICE][0]))
        kinds = {entry.kind for entry in self.engine.errors()}
        step.check("the error log says: access", kinds == {LogKind.ACCESS})
        words = {int.from_bytes(text[at:at + 4], "little")
                 for text in _TEXTS.values() for at in range(0, LINE_BYTES, 4)}
        step.check("no register shows a word of their texts", not words & set(self._registers()))
        step.check("both still read their own", all(
            self._read(domain, line) == (OKAY, _TEXTS[domain])
            for domain, lines in _LINES.items() for line in lines))

    def _reclaim(self, step: Step) -> None:
        first, second = _LINES[_ALICE]
        self.engine.reclaim(first * LINE_BYTES, _GRANULE)
        step.check("its owner gets access errors, not silent zeros",
                   self._read(_ALICE, first) == _REFUSED)
        step.check("the supervisor claims it",
                   self._write(_SUPERVISOR, first + 1, bytes(LINE_BYTES)) == OKAY)
        step.check("and finds zeros where the text was",
                   self._read(_SUPERVISOR, first) == (OKAY, bytes(LINE_BYTES)))
        step.check("the owner's other granule is untouched",
                   self._read(_ALICE, second) == (OKAY, _TEXTS[_ALICE]))

    def _destroy(self, step: Step) -> None:
        before = self.bench.cycle
        self.engine.destroy(_ALICE)
        step.check(f"its keys are erased: {self.bench.cycle - before} cycles, registers included",
                   self.bench.cycle - before <= 150)
        step.check("its memory answers nobody", self._refused(_ALICE, _LINES[_ALICE][1])
                   and self._refused(_SUPERVISOR, _LINES[_ALICE][1]))
        try:
            self.engine.query(_ALICE)
        except CommandError as error:
            step.check(f"{error}", True)
        else:
            step.check("the domain is unknown", False)
        step.check(f"domain {_BOB} does not notice",
                   self._read(_BOB, _LINES[_BOB][0]) == (OKAY, _TEXTS[_BOB]))

    def _inject(self, step: Step) -> None:
        list(self.engine.errors())
        line = _LINES[_BOB][0]
        self.bench.memory[self.bench.config.data_base + line * LINE_BYTES] = bytes(LINE_BYTES)
        step.check("the victim gets an error and zeros", self._read(_BOB, line) == _REFUSED)
        kinds = {entry.kind for entry in self.engine.errors()}
        step.check("the error log says: line, the alert rises",
                   kinds == {LogKind.LINE} and self._run(1)["alert_integrity"])
        step.check("the victim's slot is locked, its keys are erased", self.engine.locked_slots)
        step.check("the others go on",
                   self._read(_SUPERVISOR, _LINES[_ALICE][0]) == (OKAY, bytes(LINE_BYTES)))

    def _tampered(self, step: Step) -> None:
        good = list(self.bench.fuses.words)
        for name, address in (("two bits of the root key", SECRET.base),
                              ("two bits of the identity", IDENTITY.base),
                              ("the digest of the root key", SECRET.end - 1)):
            image = list(good)
            image[address] ^= 0b11
            self._start(image)
            try:
                self.fuses.wait_until_checked()
            except DriverError:
                pins = self._run(200)
                step.check(f"{name} changed: alarm, no key, every access refused",
                           pins["alert_fatal"] and self._refused(_BOB, _LINES[_BOB][0])
                           and self.engine.key_state is KeyState.ERASED)
            else:
                step.check(f"{name} changed: the device must not start", False)
        self._start(good)
        cycles = self.engine.wait_for_boot()
        step.check(f"the image as it was boots again, in {cycles:,} cycles", True)


STEPS: tuple[tuple[str, Callable[[Walk, Step], None]], ...] = (
    ("A blank device", Walk._blank),
    ("Identity and configuration", Walk._personalise),
    ("A root key that nobody knows", Walk._provision),
    ("Boot", Walk._boot),
    ("Two domains use their memory", Walk._domains),
    ("Another domain, and the supervisor", Walk._isolation),
    ("The supervisor reclaims a granule", Walk._reclaim),
    ("A domain is destroyed", Walk._destroy),
    ("Somebody writes into DRAM", Walk._inject),
    ("Tampered fuses", Walk._tampered),
)
"""Titles and steps, in order."""
