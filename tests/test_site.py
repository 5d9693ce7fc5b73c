"""The site builds without a warning, and its pages show all they link to.

`make docs` passes the site that it built, with all examples, in SKLEARN_ATTREC_SITE.
Otherwise a site without the results of the examples is built here.
"""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("sphinx_gallery")
ROOT = Path(__file__).parents[1]
SOURCES = ["docs", "examples", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
SOURCES += ["SECURITY.md"]
GENERATED = shutil.ignore_patterns("_build", "gallery", "reference", "__pycache__")

# One worker builds the site and looks at it.
pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the pages."""
    if built := os.environ.get("SKLEARN_ATTREC_SITE"):
        return Path(built).resolve()
    folder = tmp_path_factory.mktemp("site")
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=GENERATED)
        else:
            shutil.copy(ROOT / source, folder)
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going"]
    command += ["--quiet", "--define", "plot_gallery=0", "docs", "html"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a page contains: ids, links and the resources that a browser loads."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.resources, self.without_alt = set(), [], [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes.get("id"), attributes.get("name")}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        elif tag == "link" and attributes.get("rel") in (
            "stylesheet",
            "icon",
            "preload",
        ):
            self.resources.append(attributes["href"])
        elif tag in ("img", "script", "iframe", "source") and attributes.get("src"):
            self.resources.append(attributes["src"])
        if tag == "img" and not attributes.get("alt"):
            self.without_alt.append(attributes.get("src"))


@pytest.fixture(scope="module")
def pages(site):
    paths = [
        path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    ]
    return {path: Page(path) for path in paths}


def test_links_lead_to_pages_and_places_that_exist(pages, site):
    assert len(pages) > 50
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            anchor = unquote(parts.fragment)
            known = pages[target].ids if target in pages else set()
            if not target.exists() or (anchor and anchor not in known):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_pages_need_nothing_from_elsewhere(pages, site):
    missing = []
    for path, page in pages.items():
        for resource in page.resources:
            parts = urlsplit(resource)
            here = not parts.scheme and not parts.netloc
            if not here or not (path.parent / unquote(parts.path)).is_file():
                missing.append(f"{path.relative_to(site)}: {resource}")
    assert missing == []


def test_pictures_have_a_description(pages, site):
    missing = [
        f"{path.relative_to(site)}: {picture}"
        for path, page in pages.items()
        for picture in page.without_alt
        if not picture.endswith("_thumb.png")  # the title below says what it shows
    ]
    assert missing == []


@pytest.fixture(scope="module")
def address(site):
    """Serve the site on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    program = shutil.which("google-chrome") or shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium and chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()


MISSING_PICTURES = """
return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)
"""
IS_TOO_WIDE = """
return [document.documentElement, ...document.querySelectorAll('.bd-article-container')]
    .some(e => e.scrollWidth > e.clientWidth + 1)
"""


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_a_browser_shows_every_page(pages, site, address, browser, width):
    size = {
        "width": width,
        "height": 900,
        "deviceScaleFactor": 1,
        "mobile": width < 500,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    faults = []
    for path in pages:
        name = path.relative_to(site).as_posix()
        if name.startswith("_modules/"):  # only source code
            continue
        browser.get(f"{address}/{name}")
        logged = browser.get_log("browser")
        messages = [entry["message"] for entry in logged if entry["level"] == "SEVERE"]
        messages += browser.execute_script(MISSING_PICTURES)
        if browser.execute_script(IS_TOO_WIDE):
            messages.append("wider than the screen")
        faults += [f"{name}: {message}" for message in messages]
    assert faults == []
