"""Fills the template in: one file, with its styles and its pictures."""

from __future__ import annotations

import re
from datetime import date
from importlib.resources import files

from markupsafe import Markup, escape

from casemate_sim.page import sections
from casemate_sim.page.material import Material

__all__ = ["render_page"]


def render_page(material: Material, *, day: date) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    material:
        What there is to show; what is missing is said on the page.
    day:
        When it was made.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("casemate_sim.page", "templates"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["words"] = _words
    style = files("casemate_sim.page").joinpath("templates", "page.css").read_text("utf-8")
    return environment.get_template("page.html").render(
        material=material, sections=sections, day=day.isoformat(), style=style)


def _words(text: str) -> Markup:
    """Return a text of the documentation, what stands in backticks as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))
