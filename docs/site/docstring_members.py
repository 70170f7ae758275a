"""Griffe extension: the section ``Members`` of a component's docstring is one of attributes."""

import re

from griffe import Class, Extension

__all__ = ["Members"]


class Members(Extension):
    """Gives the ports of components the heading that numpy's style knows."""

    def on_class(self, *, cls: Class, **_: object) -> None:
        """Rename the section of one class."""
        if cls.docstring is not None:
            cls.docstring.value = re.sub(r"^Members\n-{7}$", "Attributes\n----------",
                                         cls.docstring.value, flags=re.MULTILINE)
