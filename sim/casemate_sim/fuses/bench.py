"""The fuse controller on the stand-in for its macro; what can go wrong there are inputs."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.enum import EnumView
from amaranth.lib.wiring import In, Out
from casemate.fuse.controller import FuseController
from casemate.fuse.digest import Digest
from casemate.fuse.map import SECRET, WORDS
from casemate.fuse.otp import OtpArray
from casemate.fuse.port import OtpPort
from casemate.fuse.registers import Result, command_layout
from casemate.fuse.secded import WORD_BITS

__all__ = ["FROZEN", "FuseBench", "forced_registers"]

_FORCE_BITS = 15
FROZEN = ("step", "area", "task", "place", "walk", "ended", "life", "block", "stored", "blank",
          "erased", "intact", "running", "offer", "word", "target", "shares", "tampered", "torn")
"""Registers of the controller whose enable can fail, in the order of the bits of ``freeze``."""


class _FaultyPort(OtpPort):
    """The port, whose state can be forced from outside."""

    def __init__(self, **options: int):
        super().__init__(**options)
        self.force = Signal()
        self.force_value = Signal(_FORCE_BITS)

    def elaborate(self, platform: object) -> Module:
        """Add the fault."""
        m = super().elaborate(platform)
        with m.If(self.force):
            m.d.sync += Value.cast(self.step).eq(self.force_value)
        return m


def forced_registers(controller: FuseController) -> dict[str, EnumView[Any]]:
    """Return the registers that hold codewords, by name."""
    r = controller.registers
    return {
        "step": r.step, "port": controller.port.step, "area": r.area, "task": r.task,
        "walk": r.walk, "life": r.life, "running": r.running, "offer": r.offer,
        "tampered": r.tampered, "torn": r.torn,
        **{f"status {area.name.lower()}": register for area, register in r.status.items()},
        **{f"free {area.name.lower()}": register for area, register in r.free.items()},
    }


class _FaultyController(FuseController):
    """The controller, whose registers can be forced or kept from outside."""

    def __init__(self, *, check_bits: int, patience_bits: int):
        super().__init__(check_bits=check_bits, patience_bits=patience_bits)
        self.force = Signal()
        self.force_register = Signal(range(len(forced_registers(self))))
        self.force_value = Signal(_FORCE_BITS)
        self.freeze = Signal(len(FROZEN))

    def _parts(self) -> tuple[OtpPort, Digest]:
        return _FaultyPort(patience_bits=self._patience_bits), Digest()

    def elaborate(self, platform: object) -> Module:
        """Add the faults."""
        m = super().elaborate(platform)
        for bit, name in enumerate(FROZEN):
            register = Value.cast(getattr(self.registers, name))
            with m.If(self.freeze[bit]):
                m.d.sync += register.eq(register)
        m.d.comb += self.port.force_value.eq(self.force_value)
        for number, (name, register) in enumerate(forced_registers(self).items()):
            with m.If(self.force & (self.force_register == number)):
                if name == "port":
                    m.d.comb += self.port.force.eq(1)
                else:
                    m.d.sync += Value.cast(register).eq(self.force_value)
        return m


class FuseBench(wiring.Component):
    """Controller and array under observation; without ``power`` only the array keeps its content.

    Members
    -------
    power: In(1)
        Low: the controller is in reset, and the array can be loaded and looked at.
    load: In(1), address: In(range(WORDS)), data: In(39), look: Out(39)
        Without power: a word is replaced; the word at ``address`` two cycles ago.
    expected_key: In(256)
        The only right root key.
    key_ready, tamper, entropy_valid, command_valid, result_ready: In(1), entropy: In(32),
    command: In(command_layout()), result_valid: Out(1), result: Out(2)
        Pins of the controller.
    fail: In(1)
        Programming goes wrong.
    force: In(1), force_register: In(...), force_value: In(15), freeze: In(len(FROZEN))
        Faults in registers.
    drop_read, drop_program, drop_valid, fake_valid, fake_done: In(1), garble: In(39)
        Faults at the pins of the macro.
    ready, alert, erase, debug: Out(1), life_cycle: Out(13), identity: Out(192),
    configuration: Out(128), step: Out(15)
        As the controller says.
    keys: Out(4), key_wrong, key_leak: Out(1)
        Since power: keys taken; a wrong key was valid; key bits stood there without ``valid``.
    complained: Out(1)
        Since power: a command was refused or failed.
    opened, exposed: Out(1)
        Since power: ``debug`` was high; while a word of the secret was in the array.
    ready_at: Out(16)
        Cycle, counted from power, in which ``ready`` came.
    held: Out(1)
        A register that may hold key bits is not zero.
    """

    def __init__(self, *, check_bits: int = 10, patience_bits: int = 8):
        self.controller = _FaultyController(check_bits=check_bits, patience_bits=patience_bits)
        self._forced = tuple(forced_registers(self.controller))
        super().__init__({
            "power": In(1), "load": In(1), "address": In(range(WORDS)), "data": In(WORD_BITS),
            "look": Out(WORD_BITS), "expected_key": In(256), "key_ready": In(1), "tamper": In(1),
            "entropy_valid": In(1), "entropy": In(32), "entropy_ready": Out(1),
            "command_valid": In(1), "command": In(command_layout().size), "command_ready": Out(1),
            "result_ready": In(1), "result_valid": Out(1), "result": Out(2), "fail": In(1),
            "force": In(1), "force_register": In(range(len(self._forced))),
            "force_value": In(_FORCE_BITS), "freeze": In(len(FROZEN)), "drop_read": In(1),
            "drop_program": In(1), "drop_valid": In(1), "fake_valid": In(1), "fake_done": In(1),
            "garble": In(WORD_BITS), "ready": Out(1), "alert": Out(1), "erase": Out(1),
            "debug": Out(1), "life_cycle": Out(13), "identity": Out(192),
            "configuration": Out(128), "step": Out(_FORCE_BITS), "keys": Out(4),
            "key_wrong": Out(1), "key_leak": Out(1), "opened": Out(1), "exposed": Out(1),
            "ready_at": Out(16), "held": Out(1),
            "complained": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        """Connect controller and array through the faults."""
        m = Module()
        c = self.controller
        m.submodules.controller = ResetInserter(~self.power)(c)
        array = OtpArray()
        m.submodules.array = ResetInserter(~self.power)(array)  # not its content
        self._pins(m, c, array)
        m.d.comb += [
            c.root_key.ready.eq(self.key_ready), c.tamper.eq(self.tamper),
            c.entropy.valid.eq(self.entropy_valid), c.entropy.payload.eq(self.entropy),
            self.entropy_ready.eq(c.entropy.ready), c.command.valid.eq(self.command_valid),
            c.command.payload.eq(self.command), self.command_ready.eq(c.command.ready),
            c.result.ready.eq(self.result_ready), self.result_valid.eq(c.result.valid),
            self.result.eq(c.result.payload), c.force.eq(self.force),
            c.force_register.eq(self.force_register), c.force_value.eq(self.force_value),
            c.freeze.eq(self.freeze), self.ready.eq(c.ready), self.alert.eq(c.alert),
            self.erase.eq(c.erase), self.debug.eq(c.debug), self.life_cycle.eq(c.life_cycle),
            self.identity.eq(c.identity), self.configuration.eq(c.configuration),
            self.step.eq(c.registers.step),
            self.held.eq(Cat(c.registers.block, c.registers.word, c.registers.command,
                             c.digest.digest).any()),
        ]
        self._observe(m, c, array)
        return m

    def _pins(self, m: Module, c: FuseController, array: OtpArray) -> None:
        """Put the faults between controller and array; without power, the looks from outside."""
        inside, outside = array.otp, c.otp
        m.d.comb += [
            array.fail.eq(self.fail), array.load.eq(self.load & ~self.power),
            array.load_address.eq(self.address), array.load_data.eq(self.data),
            inside.read.eq(Mux(self.power, outside.read & ~self.drop_read, 1)),
            inside.address.eq(Mux(self.power, outside.address, self.address)),
            inside.program.eq(self.power & outside.program & ~self.drop_program),
            inside.program_data.eq(outside.program_data), self.look.eq(inside.data),
            outside.ready.eq(inside.ready), outside.busy.eq(inside.busy),
            outside.done.eq(inside.done | self.fake_done), outside.error.eq(inside.error),
            outside.valid.eq((inside.valid & ~self.drop_valid) | self.fake_valid),
            outside.data.eq(inside.data ^ self.garble),
        ]

    def _observe(self, m: Module, c: FuseController, array: OtpArray) -> None:
        """Remember since power what must never be seen."""
        cycle = Signal(16)
        words = SECRET.end - SECRET.base
        present = Signal(words)  # of the words of the secret
        right = c.root_key.payload == self.expected_key
        weight = sum(array.written_data)
        for place in range(words):
            with m.If(array.written & (array.written_address == SECRET.base + place)):
                m.d.sync += present[place].eq((weight > 1) & (weight < WORD_BITS - 1))
        m.d.sync += [cycle.eq(cycle + 1), self.keys.eq(
            self.keys + (c.root_key.valid & c.root_key.ready))]
        for flag, now in (
                (self.key_wrong, c.root_key.valid & ~right),
                (self.key_leak, ~c.root_key.valid & c.root_key.payload.any()),
                (self.complained, c.result.valid & (c.result.payload != Result.DONE)),
                (self.opened, c.debug), (self.exposed, c.debug & present.any())):
            with m.If(now):
                m.d.sync += flag.eq(1)
        with m.If(c.ready & (self.ready_at == 0)):
            m.d.sync += self.ready_at.eq(cycle)
        with m.If(~self.power):
            m.d.sync += [register.eq(0) for register in (
                cycle, self.complained, self.keys, self.key_wrong, self.key_leak, self.opened,
                self.exposed, self.ready_at)]
