"""The page of `casemate report`: everything measured, in one HTML file that needs no other.

Results are gathered into a `Material`, charts are drawn of it, and a template makes the page.
"""

from casemate_sim.page.material import Campaign, Material, MaterialError, Played, Swept
from casemate_sim.page.proofs import Proof
from casemate_sim.page.render import render_page

__all__ = ["Campaign", "Material", "MaterialError", "Played", "Proof", "Swept", "render_page"]
