"""A campaign's simulation without time: the golden engine, with its leaves written back lazily."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.model import KEY_NAMES, AccessError, GoldenEngine, Image
from casemate_sim.model.errors import ExhaustedError, IntegrityError

from .adapter import Alarm, Operation, Response
from .dram import Dram, Hook, Write

__all__ = ["DOMAIN", "ModelAdapter"]

DOMAIN = 5
"""The victim's domain."""

Numbers = NDArray[np.uint64]
Contents = NDArray[np.uint8]


class _HookedImage(Image):
    """DRAM content whose lines pass through a hook on their way from and to the engine."""

    def __init__(self) -> None:
        super().__init__()
        self.hook: Hook | None = None
        self._touched: set[int] = set()

    def read_line(self, address: int) -> bytes:
        """Return 64 bytes, past the hook."""
        return self.read(address, LINE_BYTES)

    def write_line(self, address: int, content: bytes) -> None:
        """Replace 64 bytes, past the hook."""
        self._touched.add(address)
        self.write(address, content)

    def addresses(self) -> list[int]:
        """Return what was touched."""
        return sorted(self._touched)

    def read_lines(self, addresses: Numbers) -> Contents:
        """Return lines through the hook."""
        lines = np.zeros((len(addresses), LINE_BYTES), dtype=np.uint8)
        for row, address in enumerate(addresses.tolist()):
            self._touched.add(address)
            answer = self.hook.on_read(self, address) if self.hook else address
            content = answer if isinstance(answer, bytes) else self.read_line(answer)
            lines[row] = np.frombuffer(content, dtype=np.uint8)
        return lines

    def write_lines(self, addresses: Numbers, lines: Contents) -> None:
        """Store lines through the hook."""
        for address, line in zip(addresses.tolist(), lines, strict=True):
            write: Write | None = Write(address, line.tobytes())
            if self.hook and write is not None:
                write = self.hook.on_write(self, write)
            if write is not None:
                self.write_line(write.address, write.data)


class ModelAdapter:
    """The golden engine as a simulation; the policy is to lock the engine.

    Nothing overlaps. Whether leaves are written back at once or lazily follows from the seed.

    Parameters
    ----------
    config:
        The engine's configuration.
    engine:
        Class of the engine: a broken one shows that a campaign notices.
    """

    def __init__(self, config: EngineConfig, engine: type[GoldenEngine] = GoldenEngine) -> None:
        self._config = config
        self._kind = engine
        self._mode = "plain"
        self._image = _HookedImage()
        self._integrity = self._fatal = False

    @property
    def config(self) -> EngineConfig:
        """The engine's configuration."""
        return self._config

    @property
    def dram(self) -> Dram:
        """Content of DRAM."""
        return self._image

    @property
    def cycle(self) -> int:
        """0: nothing takes time."""
        return 0

    async def start(self, mode: str, seed: int) -> None:
        """Power up."""
        self._mode = mode
        self._image = _HookedImage()
        await self.reboot(seed)

    async def reboot(self, seed: int) -> None:
        """Reset."""
        rng = random.Random(seed)
        self._engine = self._kind(self._config, self._image, lazy=rng.random() < 0.7)
        self._engine.set_slot(0, domain=DOMAIN, encrypt=self._mode in ("xts", "full"),
                              authenticate=self._mode in ("integrity", "full"))
        for name in KEY_NAMES:
            self._engine.load_key(0, name, rng.randbytes(self._config.aes_bits // 8))
        self._integrity = False
        self._fatal = False

    def set_hook(self, hook: Hook) -> None:
        """Install a hook."""
        self._image.hook = hook

    async def perform(self, operations: Sequence[Operation]) -> list[Response]:
        """Do accesses one after another."""
        return [self._perform(operation) for operation in operations]

    def _perform(self, operation: Operation) -> Response:
        refused = Response(True, b"" if operation.data is not None else bytes(LINE_BYTES))
        if self._locked:
            return refused
        address = self._config.data_base + LINE_BYTES * operation.line
        try:
            if operation.data is None:
                return Response(False, self._engine.read(DOMAIN, address, LINE_BYTES))
            strobes = [bool(operation.strobe >> place & 1) for place in range(LINE_BYTES)]
            self._engine.write(DOMAIN, address, operation.data, strobes, claim=True)
            return Response(False)
        except AccessError:
            return refused
        except IntegrityError:
            self._integrity = True
            return refused
        except ExhaustedError:
            self._fatal = True
            return refused

    async def sweep(self, *, empty: bool) -> None:
        """Write every leaf back; nothing else is ever kept."""
        if self._locked or self._mode in ("plain", "xts"):
            return
        try:
            self._engine.flush()
        except IntegrityError:
            self._integrity = self._fatal = True
        except ExhaustedError:
            self._fatal = True

    @property
    def _locked(self) -> bool:
        return self._integrity or self._fatal

    def alarm(self) -> Alarm:
        """Return the state of the alerts."""
        return Alarm(self._integrity, self._fatal, self._locked)

    def close(self) -> None:
        """Do nothing."""
