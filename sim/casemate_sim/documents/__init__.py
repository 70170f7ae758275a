"""Generated blocks of the documentation.

A Markdown file holds blocks between two comments::

    <!-- BEGIN GENERATED python -m casemate_sim.documents memory-map ecp5 -->
    ...
    <!-- END GENERATED -->

The command in the first comment prints what belongs between them.
``python -m casemate_sim.documents --write`` fills in all blocks of the repository,
``--check`` names those that are stale.
"""

from .blocks import Block, DocumentError, documents, find_blocks, refreshed, stale_blocks
from .generators import GENERATORS, generate

__all__ = ["GENERATORS", "Block", "DocumentError", "documents", "find_blocks", "generate",
           "refreshed", "stale_blocks"]
