"""Which adapter drives what is attacked: the golden model, or the exported engine."""

from __future__ import annotations

from pathlib import Path

from casemate.config import EngineConfig

from casemate_sim.adversary.adapter import Adapter

__all__ = ["create_adapter"]


def create_adapter(config: EngineConfig, *, model: bool, netlist: bool = False,
                   wave: Path | None = None) -> Adapter:
    """Return an adapter, which must be closed.

    Parameters
    ----------
    config:
        The engine.
    model:
        The golden model; otherwise the exported engine, which is built if it is new.
    netlist:
        What synthesis makes of the engine, instead of what is exported.
    wave:
        Waveform that the engine writes.

    Raises
    ------
    casemate_sim.toolchain.ToolError
        If the engine cannot be built.
    """
    if model:
        from casemate_sim.adversary.model import ModelAdapter

        return ModelAdapter(config)
    from casemate_sim.adversary.native import NativeAdapter

    return NativeAdapter(config, wave, netlist=netlist)
