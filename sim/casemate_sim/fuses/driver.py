"""Driver of an engine's fuses: provisioning over the registers, the same on a board."""

from __future__ import annotations

from casemate.fuse.codes import Debug, FailurePolicy, KeySize, LifeCycle
from casemate.fuse.map import CONFIGURATION, IDENTITY, SECRET
from casemate.fuse.registers import Command, Result

from casemate_sim.driver import Casemate, DriverError

__all__ = ["FuseCommandError", "Fuses"]

_STATES = tuple(LifeCycle)


class FuseCommandError(DriverError):
    """A command was not carried out.

    Attributes
    ----------
    result:
        Why.
    """

    def __init__(self, command: Command, result: Result) -> None:
        super().__init__(f"{command.name.lower()}: {result.name.lower()}")
        self.result = result


class Fuses:
    """The fuses of one engine.

    Parameters
    ----------
    engine:
        Driver of the engine, which was built with fuses.
    """

    def __init__(self, engine: Casemate) -> None:
        self._engine = engine

    @property
    def state(self) -> dict[str, int]:
        """Fields of the register ``fuse_state``."""
        return self._engine.read("fuse_state")

    @property
    def life_cycle(self) -> LifeCycle:
        """State of life; ``SCRAP`` until the checks are done."""
        return LifeCycle(self.state["life_cycle"])

    @property
    def device(self) -> bytes:
        """The public identity, 16 bytes."""
        return self._bytes(*(f"device_{number}" for number in range(4)))

    @property
    def serial(self) -> bytes:
        """The serial number, 8 bytes."""
        return self._bytes("serial_0", "serial_1")

    def _bytes(self, *names: str) -> bytes:
        return b"".join(self._engine.read(f"fuse_{name}")["word"].to_bytes(4, "little")
                        for name in names)

    def wait_until_checked(self) -> None:
        """Wait until all checks have passed; DriverError if the fuses raise the alarm."""
        for _ in range(1000):
            state = self.state
            if state["alert"]:
                raise DriverError("the fuses raised the alarm: the device does not start")
            if state["ready"]:
                return
        raise DriverError("the checks of the fuses do not end")

    def command(self, command: Command, address: int = 0, data: int = 0) -> None:
        """Give a command and wait for its end; FuseCommandError if it was not carried out."""
        engine, name = self._engine, command.name.lower()
        engine.write("fuse_address", address=address)
        engine.write("fuse_data", data=data)
        engine.write("fuse_command", **{name: 1})
        engine.wait("fuse_command", name, **{each.name.lower(): 0 for each in Command})
        result = Result(engine.read("fuse_result")["result"])
        if result is not Result.DONE:
            raise FuseCommandError(command, result)

    def move(self, state: LifeCycle) -> None:
        """Enter the next state of life, which begins with the next reset."""
        self.command(Command.MOVE, _STATES.index(state) - 1)

    def personalise(self, device: bytes, serial: bytes, *, key_size: KeySize,
                    policy: FailurePolicy = FailurePolicy.LOCK_ENGINE,
                    debug: Debug = Debug.NEVER, product: int = 0) -> None:
        """Program and lock identity (16 and 8 bytes) and configuration, in state ``TEST``."""
        content = device + serial
        words = {IDENTITY: [int.from_bytes(content[at:at + 4], "little")
                            for at in range(0, len(content), 4)],
                 CONFIGURATION: [key_size.value, policy.value, debug.value, product]}
        for partition, values in words.items():
            for place, word in enumerate(values):
                self.command(Command.PROGRAM, partition.base + place, word)
            self.command(Command.LOCK, partition.base)

    def provision(self, share: bytes) -> None:
        """Make the root key from the licensee's share, 32 bytes, and one that the device draws.

        Nobody reads the result. Until reset everything is closed.
        """
        if len(share) != 4 * SECRET.words:
            raise ValueError(f"a share has {4 * SECRET.words} bytes, not {len(share)}")
        for at in range(0, len(share), 4):
            self.command(Command.SHARE, data=int.from_bytes(share[at:at + 4], "little"))
        self.command(Command.PROVISION)
