"""Makes this folder's modules importable by their names, as cocotb imports them too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
