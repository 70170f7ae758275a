"""Faults on a device with fuses: how many were tried, and how each ended.

``python benches/faults.py`` tries some thousands, in minutes, ``--effort 10`` five times as many,
and ``--everything`` all that ``make verify`` does, in an hour or more. An escape, a wrong key or an
open door, ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from random import Random

from casemate_sim.fuses.device import FuseDevice
from casemate_sim.fuses.faults import CAMPAIGNS, EscapeError
from casemate_sim.fuses.scenarios import KEY, device_in

_BOOT_TARGET = 800


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Faults on a device with fuses, counted.")
    parser.add_argument("--effort", type=int, default=2, help="size of the sample")
    parser.add_argument("--everything", action="store_true", help="every fault, not a sample")
    parser.add_argument("--seed", type=int, default=20_261_125)
    parser.add_argument("--output", type=Path, default=Path("build/faults.json"))
    return parser.parse_args()


def main() -> int:
    """Run all campaigns; return the exit code."""
    options = _options()
    device = FuseDevice(check_bits=8)
    device.load(device_in("production"), KEY)
    ready = device.start()["ready_at"]
    config = {"config": "everything" if options.everything else f"effort {options.effort}",
              "seed": options.seed}
    figures: dict[str, object] = {"boot.fuse_cycles": {
        "value": ready, "unit": "cycles", "config": config, "target": f"<= {_BOOT_TARGET}",
        "met": ready <= _BOOT_TARGET}}
    print(f"reset to root key: {ready} cycles")
    for name, campaign in CAMPAIGNS.items():
        started = time.monotonic()
        try:
            counts = campaign(
                device, None if options.everything else options.effort, Random(options.seed))
        except EscapeError as error:
            print(f"{name}: ESCAPE: {error}", file=sys.stderr)
            return 1
        print(f"{name} ({time.monotonic() - started:.0f} s): " + ", ".join(
            f"{count:,} {outcome}" for outcome, count in sorted(counts.items())))
        figures |= {f"fuse.{name.replace(' ', '_')}.{outcome.replace(' ', '_').replace(':', '')}": {
            "value": count, "unit": "faults", "config": config, "target": None, "met": None}
            for outcome, count in sorted(counts.items())}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"written: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
