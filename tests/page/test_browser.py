"""The page of `casemate report` in a real browser: wide, narrow, dark, printed, without a network.

Pictures of it stay in ``build/page``.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = "CASEMATE_BROWSER"  # `required`: no browser is a failure; .ci/run says so
WIDE, NARROW = 1280, 360

_CONTRASTS = """
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92
    : Math.pow((value + 0.055) / 1.055, 2.4);
const parts = colour => colour.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) =>
    0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = element => {
    for (; element; element = element.parentElement) {
        const colour = parts(getComputedStyle(element).backgroundColor);
        if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
};
return [...document.querySelectorAll('p, td, th, figcaption, h1, h2, h3, a, b, span, code, text')]
    .filter(element => element.textContent.trim() && !element.classList.contains('mode'))
    .map(element => {
        const svg = element.namespaceURI.endsWith('svg');
        const ink = luminance(parts(getComputedStyle(element)[svg ? 'fill' : 'color']));
        const paper = luminance(behind(element));
        const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        return [ratio, element.textContent.trim().slice(0, 40)];
    });
"""
_PICTURES = """
return [...document.querySelectorAll('figure')].map(figure => {
    const svg = figure.querySelector('svg').getBoundingClientRect();
    const box = figure.getBoundingClientRect();
    return [svg.width, svg.height, svg.left >= box.left && svg.right <= box.right];
});
"""


@pytest.fixture(scope="module")
def browser():
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "needs Chromium and its driver (apt install chromium chromium-driver): the " \
            "page was opened in no browser"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # In a container there is no sandbox for root, and little shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


@pytest.fixture
def address(page: Path) -> str:
    return page.as_uri()


def show(browser, address: str, *, width: int, scheme: str, media: str = "screen") -> None:
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {
        "offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    browser.get(address)


def picture(browser, name: str, width: int) -> np.ndarray:
    """Take a picture of the whole page and keep it."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True,
        "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
    content = base64.b64decode(shot["data"])
    folder = ROOT / "build" / "page"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(content)
    return imread(io.BytesIO(content))


def test_the_page_is_right_in_every_window(browser, address) -> None:
    brightness = {}
    for name, width, scheme in (("wide", WIDE, "light"), ("narrow", NARROW, "light"),
                                ("dark", WIDE, "dark")):
        show(browser, address, width=width, scheme=scheme)
        assert browser.get_log("browser") == [], "the console has no message"
        assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
        assert "memory protection" in browser.title
        # Tables scroll within themselves, the page does not.
        assert browser.execute_script(
            "return document.documentElement.scrollWidth") <= width, name
        pictures = browser.execute_script(_PICTURES)
        assert len(pictures) == 7
        for wide, high, inside in pictures:
            assert wide > 200 and high > 100 and inside, name
        faint = [each for each in browser.execute_script(_CONTRASTS) if each[0] < 4.5]
        assert not faint, name
        pixels = picture(browser, name, width)
        assert pixels.shape[1] == width
        assert len(np.unique((pixels[::3, ::3, :3] * 255).astype(np.uint8).reshape(-1, 3),
                             axis=0)) > 50, "curves, bars and words"
        brightness[name] = float(pixels[..., :3].mean())
    assert brightness["wide"] > 0.8
    assert brightness["dark"] < 0.3


def test_print_is_light_and_whole_whatever_the_screen(browser, address) -> None:
    show(browser, address, width=WIDE, scheme="dark", media="print")
    assert browser.execute_script(
        "return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script(
        "return getComputedStyle(document.querySelector('nav')).display") == "none"
    hidden = browser.execute_script(
        "return [...document.querySelectorAll('details code')].filter("
        "each => !each.getBoundingClientRect().height).length")
    assert hidden == 0, "what a click opens is open on paper"
    pdf = base64.b64decode(browser.execute_cdp_cmd(
        "Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") >= 4
