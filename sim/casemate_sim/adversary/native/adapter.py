"""The exported engine as a campaign's simulation."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Sequence
from pathlib import Path

from casemate.config import LINE_BYTES, ConfigError, EngineConfig
from casemate.engine.keys import KeyName

from casemate_sim.registers import RegisterMap

from ..adapter import AdapterError, Alarm, Operation, Response
from ..dram import Dram, Hook, Write, merged
from .library import build_harness

__all__ = ["DOMAIN", "NativeAdapter"]

DOMAIN = 5
"""The victim's domain."""

_LIMIT = 400_000  # cycles after which the engine hangs
_READ_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint8))
_WRITE_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint8),
                               ctypes.c_uint64)


class _Operation(ctypes.Structure):
    _fields_ = (("address", ctypes.c_uint64), ("strobe", ctypes.c_uint64),
                ("domain", ctypes.c_uint32), ("write", ctypes.c_uint8),
                ("claim", ctypes.c_uint8), ("response", ctypes.c_uint8),
                ("wrong_beats", ctypes.c_uint8), ("data", ctypes.c_uint8 * LINE_BYTES))


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    u64, u32, pointer = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
    integer, text = ctypes.c_int, ctypes.c_char_p
    for name, result, arguments in (
        ("create", pointer, ()), ("destroy", None, (pointer,)), ("error", text, (pointer,)),
        ("cycle", u64, (pointer,)), ("reset", integer, (pointer, u64, u32, u32)),
        ("clear", None, (pointer,)), ("trace", integer, (pointer, text)),
        ("hooks", None, (pointer, _READ_HOOK, _WRITE_HOOK)),
        ("key", integer, (pointer, u32, u32, text)),
        ("slot", integer, (pointer, u32, u32, integer, integer)),
        ("perform", integer, (pointer, ctypes.POINTER(_Operation), u64, u64)),
        ("ticks", integer, (pointer, u64)), ("pins", integer, (pointer,)),
        ("register", integer, (pointer, integer, u32, ctypes.POINTER(ctypes.c_uint32))),
        ("memory_read", None, (pointer, u64, ctypes.c_char_p, u64)),
        ("memory_write", None, (pointer, u64, ctypes.c_char_p, u64)),
    ):
        function = getattr(library, f"attack_{name}")
        function.restype = result
        function.argtypes = arguments
    return library


class NativeAdapter:
    """The exported Verilog with AXI4 on both sides; accesses to different lines overlap.

    Latencies and back-pressure are random. Policy is to lock the engine.

    Parameters
    ----------
    config:
        The engine's configuration.
    wave:
        VCD file to write, of all that is simulated.
    netlist:
        Simulate what synthesis makes of the engine, see ``synthesis.mapped``.

    Raises
    ------
    casemate_sim.toolchain.ToolError
        If a tool is missing or the build fails.
    """

    def __init__(self, config: EngineConfig, wave: Path | None = None, *,
                 netlist: bool = False) -> None:
        self._config = config
        self._failure: BaseException | None = None
        self._library = _load(build_harness(config, wave=wave is not None, netlist=netlist))
        self._handle = self._library.attack_create()
        if not self._handle:
            raise AdapterError("the model does not start")
        if wave is not None:
            self._check(self._library.attack_trace(self._handle, str(wave).encode()))
        self._registers = RegisterMap(config)
        self._hook = Hook()
        self._touched: set[int] = set()
        # Kept, because C++ calls them for as long as this object lives.
        self._callbacks = (_READ_HOOK(self._on_read), _WRITE_HOOK(self._on_write))
        self._library.attack_hooks(self._handle, *self._callbacks)
        self._mode = "plain"

    @property
    def config(self) -> EngineConfig:
        """The engine's configuration."""
        return self._config

    @property
    def dram(self) -> Dram:
        """Content of DRAM."""
        return self

    @property
    def cycle(self) -> int:
        """Cycles since the model was made."""
        return self._library.attack_cycle(self._handle)

    def _check(self, result: int) -> int:
        if self._failure is not None:
            raise AdapterError(f"a hook failed: {self._failure}") from self._failure
        if result < 0:
            raise AdapterError(self._library.attack_error(self._handle).decode())
        return result

    # -- DRAM --------------------------------------------------------------------------------

    def read_line(self, address: int) -> bytes:
        """Return 64 bytes."""
        buffer = ctypes.create_string_buffer(LINE_BYTES)
        self._library.attack_memory_read(self._handle, address, buffer, LINE_BYTES)
        return buffer.raw

    def write_line(self, address: int, content: bytes) -> None:
        """Replace 64 bytes."""
        self._touched.add(address)
        self._library.attack_memory_write(self._handle, address, content, LINE_BYTES)

    def addresses(self) -> list[int]:
        """Return what was touched."""
        return sorted(self._touched)

    def _on_read(self, address: int, data: ctypes._Pointer) -> None:
        try:
            self._touched.add(address)
            answer = self._hook.on_read(self, address)
            content = answer if isinstance(answer, bytes) else self.read_line(answer)
            ctypes.memmove(data, content, LINE_BYTES)
        except BaseException as failure:
            self._failure = failure

    def _on_write(self, address: int, data: ctypes._Pointer, strobe: int) -> None:
        try:
            write = self._hook.on_write(
                self, Write(address, ctypes.string_at(data, LINE_BYTES), strobe))
            if write is not None:
                self.write_line(write.address, merged(self.read_line(write.address), write))
        except BaseException as failure:
            self._failure = failure

    # -- the system --------------------------------------------------------------------------

    async def start(self, mode: str, seed: int) -> None:
        """Power up."""
        if mode in ("integrity", "full") and self._config.tree is None:
            raise ConfigError(f"configuration {self._config.name} has no tree: no mode {mode}")
        self._mode = mode
        self._hook = Hook()
        self._failure = None
        self._touched.clear()
        self._library.attack_clear(self._handle)
        await self.reboot(seed)

    async def reboot(self, seed: int) -> None:
        """Reset."""
        rng = random.Random(seed)
        self._check(self._library.attack_reset(
            self._handle, rng.getrandbits(64), rng.choice((0, 0, 40, 150)),
            rng.choice((4, 20, 60))))
        self.set_domain(0, DOMAIN, self._mode, rng)

    def set_domain(self, slot: int, domain: int, mode: str, keys: random.Random) -> None:
        """Give another slot to another domain, with keys that are drawn from `keys`."""
        names = KeyName if self._config.tree is not None else (KeyName.K1, KeyName.K2)
        for name in names:
            if name is not KeyName.K4 or slot == 0:
                self._check(self._library.attack_key(
                    self._handle, slot, name.value, keys.randbytes(self._config.aes_bits // 8)))
        self._check(self._library.attack_slot(
            self._handle, slot, domain, mode in ("xts", "full"), mode in ("integrity", "full")))

    def set_hook(self, hook: Hook) -> None:
        """Install a hook."""
        self._hook = hook

    async def perform(self, operations: Sequence[Operation], *, domain: int = DOMAIN,
                      claim: bool = True) -> list[Response]:
        """Do accesses, as many at a time as there are AXI IDs; by default those of the victim."""
        table = (_Operation * len(operations))()
        for entry, operation in zip(table, operations, strict=True):
            entry.address = self._config.data_base + LINE_BYTES * operation.line
            entry.domain, entry.claim = domain, claim and operation.data is not None
            entry.write, entry.strobe = operation.data is not None, operation.strobe
            if operation.data is not None:
                entry.data[:] = operation.data
        self._check(self._library.attack_perform(
            self._handle, table, len(operations), _LIMIT))
        return [Response(entry.response >= 2, b"" if entry.write else bytes(entry.data),
                         self._bytes_of(entry.wrong_beats)) for entry in table]

    def _bytes_of(self, beats: int) -> int:
        """Return a bit for each byte of some beats of a line."""
        size = self._config.data_bits // 8
        return sum((1 << size) - 1 << size * beat
                   for beat in range(self._config.beats_per_line) if beats >> beat & 1)

    def read_register(self, name: str) -> dict[str, int]:
        """Return the fields of a register."""
        value = ctypes.c_uint32()
        self._check(self._library.attack_register(
            self._handle, 0, self._registers.offset(name), ctypes.byref(value)))
        return self._registers.unpack(name, value.value)

    def write_register(self, name: str, **fields: int) -> None:
        """Write a register: `fields`, and 0 to the others."""
        value = ctypes.c_uint32(self._registers.pack(name, **fields))
        self._check(self._library.attack_register(
            self._handle, 1, self._registers.offset(name), ctypes.byref(value)))

    async def sweep(self, *, empty: bool) -> None:
        """Flush or invalidate by register, and wait for the end.

        A locked engine may hold what it could not write for ever: its sweep need not end.
        """
        if self._config.tree is None:
            return
        self.write_register("command", **{"invalidate" if empty else "flush": 1})
        for _ in range(_LIMIT // 100):
            status = self.read_register("status")
            if not status["sweeping"] or status["engine_locked"]:
                self._check(self._library.attack_perform(self._handle, None, 0, _LIMIT))
                return
            self._check(self._library.attack_ticks(self._handle, 100))
        raise AdapterError("a sweep does not end")

    def alarm(self) -> Alarm:
        """Return the state of the pins and the locks."""
        if self._config.tree is None:
            return Alarm()
        pins = self.pins()
        status = self.read_register("status")
        return Alarm(pins["alert_integrity"], pins["alert_fatal"],
                     bool(status["engine_locked"] or status["slot_locked"]))

    def pins(self) -> dict[str, bool]:
        """Return the levels of the alert pins and of the interrupt."""
        pins = self._library.attack_pins(self._handle)
        names = ("alert_integrity", "alert_fatal", "irq")
        return {name: bool(pins >> bit & 1) for bit, name in enumerate(names)}

    def error_log(self) -> list[dict[str, int]]:
        """Take all entries off the error log, with their addresses."""
        entries = []
        while (entry := self.read_register("error_entry"))["kind"]:
            low, high = (self.read_register(f"error_address_{part}")["address"]
                         for part in ("low", "high"))
            entries.append({**entry, "address": high << 32 | low})
        return entries

    def close(self) -> None:
        """Free the simulation and finish its waveform."""
        if self._handle:
            self._library.attack_destroy(self._handle)
            self._handle = None

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()
