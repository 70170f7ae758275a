"""One device on a bench: loaded, switched on, commanded, damaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from casemate.fuse.codes import LifeCycle
from casemate.fuse.map import WORDS
from casemate.fuse.registers import Command, Result, Step

from casemate_sim.component import NativeComponent
from casemate_sim.fuses.bench import FuseBench, forced_registers

__all__ = ["BOOT_CYCLES", "FuseDevice"]

BOOT_CYCLES = 700
"""Enough for a start without erasing."""


class FuseDevice:
    """A device whose fuses are loaded, and which is then used as on a board.

    Parameters
    ----------
    check_bits, patience_bits:
        See ``FuseController``; short, so that a simulation is.
    """

    def __init__(self, *, check_bits: int = 10, patience_bits: int = 8):
        self._bench = FuseBench(check_bits=check_bits, patience_bits=patience_bits)
        self.registers = forced_registers(self._bench.controller)
        """What ``force`` can change, by name."""
        self._native = NativeComponent(self._bench, savable=True)
        self._key = 0
        self._content: list[int] | None = None  # of the fuses, unless it may have changed
        self.log: list[tuple[dict[str, int], int]] | None = None
        """Where the inputs of every cycle with power are recorded."""

    @property
    def digest(self) -> str:
        """Names the simulated hardware, and the tools that built it."""
        return self._native.digest

    def load(self, image: Sequence[int], key: bytes | None = None) -> None:
        """Switch off, and replace the content of the fuses.

        Parameters
        ----------
        image:
            All words.
        key:
            The only root key that is right.
        """
        if len(image) != WORDS:
            raise ValueError(f"an image has {WORDS} words, not {len(image)}")
        self._key = int.from_bytes(key or bytes(32), "little")
        if self._content == list(image):
            self.off()
            return
        self._content = list(image)
        self._native.run([{}, *({"load": 1, "address": address, "data": word}
                               for address, word in enumerate(image)), {}], names=())

    def save(self) -> bytes:
        """Return the state of the whole device, its fuses included."""
        return self._native.save()

    def go_back(self, state: bytes) -> None:
        """Be again what it was when its state was saved."""
        self._content = None
        self._native.load(state)

    def expect(self, key: bytes) -> None:
        """Name the only root key that is right from now on."""
        self._key = int.from_bytes(key, "little")

    def look(self) -> list[int]:
        """Switch off, and return the content of the fuses."""
        self.off()  # a bit that was being programmed is written, or not, before the first look
        results = self._native.run([{"address": min(address, WORDS - 1)}
                                    for address in range(WORDS + 2)], names=("look",))
        self._content = [result["look"] for result in results[1:WORDS + 1]]
        return list(self._content)

    def off(self) -> None:
        """Switch off."""
        self._native.step({}, 2)

    def run(self, cycles: int, **inputs: int) -> dict[str, Any]:
        """Run some cycles with power; return the outputs of the last.

        The key manager takes the root key at once, and entropy is there, unless `inputs` say
        otherwise.
        """
        self._content = None
        if self.log is not None:
            self.log.append((inputs, cycles))
        stimulus = {"power": 1, "key_ready": 1, "entropy_valid": 1, "entropy": 0x1234_5678,
                    "expected_key": self._key} | inputs
        return self._native.step(stimulus, cycles) if cycles else {}

    def start(self, cycles: int = BOOT_CYCLES) -> dict[str, Any]:
        """Switch off and on, and wait for the start to end."""
        self.off()
        return self.run(cycles)

    def force(self, register: str, value: int) -> dict[str, Any]:
        """Run a cycle at whose end a register takes a value."""
        number = list(self.registers).index(register)
        return self.run(1, force=1, force_register=number, force_value=value)

    def command(self, kind: Command, address: int = 0, data: int = 0,
                entropy: Sequence[int] = (), **inputs: int) -> Result:
        """Give a command; return its result.

        Parameters
        ----------
        entropy:
            Words that the device draws meanwhile, in order.

        Raises
        ------
        TimeoutError
            If there is none.
        """
        payload = kind.value | address << 3 | data << 9
        words = list(entropy)
        for _ in range(20_000):
            if self.run(1, command_valid=1, command=payload, **inputs)["command_ready"]:
                break
        else:
            raise TimeoutError(f"{kind.name} was not taken")
        for _ in range(20_000):
            drawn = {"entropy": words[0]} if words else {}
            outputs = self.run(1, **{"result_ready": 1} | drawn | inputs)
            if words and outputs["entropy_ready"]:
                words.pop(0)
            if outputs["result_valid"]:
                return Result(outputs["result"])
        raise TimeoutError(f"{kind.name} has no result")

    def codes(self, register: str) -> list[int]:
        """Return the codewords of a register that can be forced."""
        shape: Any = self.registers[register].shape()
        return [int(code.value) for code in shape]

    @staticmethod
    def state(outputs: dict[str, Any]) -> LifeCycle:
        """Return the state of life that the device shows."""
        return LifeCycle(outputs["life_cycle"])

    @staticmethod
    def step(outputs: dict[str, Any]) -> Step:
        """Return the state of the controller."""
        return Step(outputs["step"])
