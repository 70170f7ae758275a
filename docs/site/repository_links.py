"""MkDocs hook: links that lead out of ``docs/`` lead to pages of the site.

The pages are written to be read in the repository, where ``../README.md`` and ``../rtl/...`` are
files. On the site, a Markdown file of the repository's root is a page, a module of the hardware or
of the simulation is its page in the reference, and any other file is a page with its source.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

__all__ = ["on_files", "on_page_markdown"]

_ROOT = Path(__file__).parents[2]
_DOCS = PurePosixPath("docs")
_AT_ROOT = {"readme.md": "README.md", "changelog.md": "CHANGELOG.md"}
_PACKAGES = ("rtl/casemate", "sim/casemate_sim")
_LINK = re.compile(r"(?<=\]\()[^)\s:#]+")


def _page(path: PurePosixPath) -> PurePosixPath:
    """Return what shows a file of the repository on the site; paths are relative to either."""
    if path.is_relative_to(_DOCS):
        return path.relative_to(_DOCS)
    if str(path) in _AT_ROOT.values():
        return PurePosixPath(path.name.lower())
    if path.suffix == ".py" and any(path.is_relative_to(package) for package in _PACKAGES):
        name = "index.md" if path.stem == "__init__" else path.stem + ".md"
        return PurePosixPath("reference", *path.parts[1:-1], name)
    return PurePosixPath("source", path.with_name(path.name + ".md"))


def _folder(page: str) -> PurePosixPath:
    """Return the folder of the repository from which a page's links start."""
    return PurePosixPath() if page in _AT_ROOT else (_DOCS / page).parent


def _target(link: str, folder: PurePosixPath) -> PurePosixPath | None:
    """Return the file of the repository that a link leads to; None if there is none."""
    path = PurePosixPath(os.path.normpath(folder / link))
    return path if (_ROOT / path).is_file() else None


def _source(path: PurePosixPath) -> str:
    language = "python" if path.suffix == ".py" else "text"
    return (f"---\nsearch: {{exclude: true}}\n---\n\n# `{path}`\n\n"
            f"````{language}\n{(_ROOT / path).read_text().rstrip()}\n````\n")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file outside ``docs/`` that a page of it links to."""
    pages = [file for file in files.documentation_pages() if not file.generated_by]
    for page, name in _AT_ROOT.items():
        pages.append(File.generated(config, page, content=(_ROOT / name).read_text()))
        files.append(pages[-1])
    for page in pages:
        for link in _LINK.findall(page.content_string):
            path = _target(link, _folder(page.src_uri))
            if path is not None and files.get_file_from_path(str(_page(path))) is None:
                files.append(File.generated(config, str(_page(path)), content=_source(path),
                                            inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    def link(match: re.Match[str]) -> str:
        path = _target(match[0], folder)
        here = PurePosixPath(page.file.src_uri).parent
        return match[0] if path is None else os.path.relpath(_page(path), here)

    if page.file.generated_by and page.file.src_uri not in _AT_ROOT:
        return markdown
    folder = _folder(page.file.src_uri)
    return _LINK.sub(link, markdown)
