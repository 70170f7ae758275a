"""The documentation as a site: it builds strictly, is whole, and needs no network."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}
"""Elements that a browser loads without a click, and the attribute that says from where."""


class Page(HTMLParser):
    """The links, loaded files and anchors of one page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors = set(), set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.links.add(values["href"])
        if tag in LOADED and values.get(LOADED[tag]) and values.get("rel") != "canonical":
            self.loaded.add(values[LOADED[tag]])
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}


def faults(site):
    """Return what is wrong with a built site: dead links, and files from elsewhere."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for url in sorted(page.links | page.loaded):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                if url in page.loaded:
                    found.append(f"{path.relative_to(site)}: loads {url}")
                continue
            # The page of errors is shown at any address and says where the site is.
            base = site if parts.path.startswith("/") else path.parent
            target = path if not parts.path else (
                base / unquote(parts.path).lstrip("/")).resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or (parts.fragment and target in pages and
                                       unquote(parts.fragment) not in pages[target].anchors):
                found.append(f"{path.relative_to(site)}: {url} leads nowhere")
    return found


def build(folder, reference):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--config-file",
         ROOT / "docs" / "site" / "mkdocs.yml", "--site-dir", folder],
        capture_output=True, text=True, check=False,
        env=os.environ | {"CASEMATE_REFERENCE": reference, "NO_MKDOCS_2_WARNING": "1"})


@pytest.fixture(scope="module", params=[
    "false", pytest.param("true", marks=pytest.mark.verify)], ids=["pages", "with reference"])
def site(request, tmp_path_factory):
    """Build the site, without and with the reference of the Python packages."""
    folder = tmp_path_factory.mktemp("site")
    result = build(folder, request.param)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    return folder


def test_the_site_is_whole_and_needs_no_network(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html")
             for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 20
    assert not {page for page in pages if not (site / page).is_file()}
    assert not faults(site)


def test_every_page_is_in_the_navigation(site):
    # Strictness ends a build with a page that is in no navigation; here, that the menu shows it.
    start = Page(site / "index.html").links
    sections = {link for link in start if not urlsplit(link).scheme}
    reachable = sections | {os.path.normpath(Path(link).parent / each)
                            for link in sections if (site / link).is_file()
                            for each in Page(site / link).links}
    assert {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
            for path in (ROOT / "docs").rglob("*.md")} - reachable == set()


def test_modules_lead_to_the_reference(site):
    page = Page(site / "theory_of_operation.html")
    assert "reference/casemate/aes/ring.html" in page.links
    text = (site / "reference" / "casemate" / "aes" / "ring.html").read_text()
    assert "AES with a few round units in a ring" in text


@pytest.mark.parametrize(("html", "fault"), [
    ('<a href="b.html">', "a.html: b.html leads nowhere"),
    ('<a href="#there">', "a.html: #there leads nowhere"),
    ('<script src="https://example.org/a.js"></script>', "a.html: loads https://example.org/a.js"),
    ('<link rel="stylesheet" href="//example.org/a.css">', "a.html: loads //example.org/a.css"),
])
def test_faults_are_found(html, fault, tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="#here"><a href="https://example.org">')
    assert faults(tmp_path) == []
    (tmp_path / "a.html").write_text(html)
    assert faults(tmp_path) == [fault]
