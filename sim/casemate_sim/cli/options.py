"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer
from casemate.config import PRESETS

from casemate_sim.dram.timing import PRESETS as TIMINGS

__all__ = ["DramOption", "EngineOption", "JobsOption", "KeySeedOption"]

EngineOption = Annotated[str, typer.Option(
    metavar="PRESET|FILE",
    help=f"The engine: a preset ({', '.join(PRESETS)}) or a TOML file.")]
"""A configuration, for ``config_file.find_config``."""

DramOption = Annotated[str, typer.Option(
    metavar="PRESET", help=f"The DRAM: {', '.join(TIMINGS)}.")]
"""A timing, for ``cli.sim.timing_of``."""

KeySeedOption = Annotated[int, typer.Option(min=0, metavar="N", help="Of the keys.")]
"""A seed, for ``tenant.keys_of_seed``."""

JobsOption = Annotated[int | None, typer.Option(
    min=1, metavar="N", help="Modes that are simulated at a time; as many as there are processors "
    "if not given.", show_default=False)]
"""How many runs of a comparison play side by side, for ``compare.compare``."""
