"""The environment of the metadata unit's control is a module beside the proofs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
