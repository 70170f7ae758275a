"""The engine's registers in a native simulation, by name."""

from __future__ import annotations

from casemate.alert.layouts import LogKind
from casemate.config import EngineConfig

from casemate_sim.native.model import NativeModel, SimulationError
from casemate_sim.registers import RegisterMap

__all__ = ["Control"]

_STEP = 64  # cycles between two looks at a register


class Control:
    """Software beside the simulation: it has the registers of an engine with a tree.

    Parameters
    ----------
    simulation:
        The simulation.
    config:
        Its configuration.
    """

    def __init__(self, simulation: NativeModel, config: EngineConfig) -> None:
        self._simulation = simulation
        self._map = RegisterMap(config)

    def read(self, name: str) -> dict[str, int]:
        """Return the fields of a register."""
        return self._map.unpack(name, self._simulation.read_register(self._map.offset(name)))

    def write(self, name: str, **fields: int) -> None:
        """Write a register: `fields`, and 0 to the others."""
        self._simulation.write_register(self._map.offset(name), self._map.pack(name, **fields))

    def _wait(self, what: str, limit: int, name: str, value: int) -> None:
        """Wait until a field of ``status`` has a value."""
        for _ in range(0, limit, _STEP):
            if self.read("status")[name] == value:
                return
            self._simulation.idle(_STEP)
        raise SimulationError(f"{what} after {limit} cycles")

    def wait_ready(self, limit: int = 100_000) -> None:
        """Wait until the root was cleared after reset."""
        self._wait("the engine is not ready", limit, "ready", 1)

    def flush(self, *, invalidate: bool = False, limit: int = 10_000_000) -> None:
        """Write every changed leaf and node back, and wait until all is in DRAM.

        Parameters
        ----------
        invalidate:
            Empty the metadata cache, too.
        limit:
            Cycles after which it hangs.

        Raises
        ------
        SimulationError
            If it hangs.
        """
        self.write("command", **{"invalidate" if invalidate else "flush": 1})
        self._wait("a flush has not ended", limit, "sweeping", 0)
        self._simulation.wait_idle()

    def clear_statistics(self) -> None:
        """Set all counters to zero."""
        self.write("statistics", clear=1)

    def statistics(self) -> dict[str, int]:
        """Return the counters, all of one moment."""
        self.write("statistics", snapshot=1)
        return {name: self.read(f"{name}_high")["count"] << 32 | self.read(f"{name}_low")["count"]
                for name in self._map.statistics}

    @property
    def locked(self) -> bool:
        """Whether the engine or a domain slot is locked."""
        status = self.read("status")
        return bool(status["engine_locked"] or status["slot_locked"])

    def alarms(self) -> list[str]:
        """Return what the engine complains of: alerts, and the error log, which is emptied."""
        status = self.read("status")
        found = [f"{name} is up" for name in ("alert_integrity", "alert_fatal") if status[name]]
        while (entry := self.read("error_entry"))["kind"]:
            low, high = (self.read(f"error_address_{part}")["address"] for part in ("low", "high"))
            kind = LogKind(entry["kind"]).name.lower().replace("_", " ")
            found.append(f"error log: {kind}, address {high << 32 | low:#x}, level "
                         f"{entry['level']}, domain {entry['domain']}"
                         + (", a write" if entry["write"] else ""))
        if self.read("error_count")["lost"]:
            found.append("error log: entries were lost")
        return found
