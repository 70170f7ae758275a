"""``python -m casemate_sim.cli`` is ``casemate``."""

from casemate_sim.cli import main

main()
