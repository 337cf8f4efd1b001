"""The documentation as a reader sees it: built without a warning, and looked at in a browser."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from documentation import ROOT
from playwright.sync_api import Browser

from estimators.registry import components
from experiments.cli import cli

pytestmark = pytest.mark.docs


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0 and "WARNING" not in built.stderr, built.stderr
    return folder


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
@pytest.mark.parametrize("place", ["server", "file"])
def test_pages_ask_nobody_and_fit(site: Path, served: str, browser: Browser, scheme, width, place):
    base = served if place == "server" else f"{site.as_uri()}/"
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    trouble: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: trouble.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: trouble.append(f"{page.url}: {error}"))
    page.on("request", lambda request: trouble.append(request.url) if not _own(request.url, base) else None)
    names = [str(file.relative_to(site)) for file in site.rglob("*.html") if file.name != "404.html"]
    assert len(names) == (ROOT / "mkdocs.yml").read_text("utf-8").count(".md\n")
    for name in names:
        page.goto(base + name)
        page.wait_for_load_state("networkidle")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            trouble.append(f"{name} is wider than {width}")
    context.close()
    assert trouble == []


def _own(url: str, base: str) -> bool:
    return url.startswith((base, "data:", "blob:"))


def test_the_board_has_the_bundles_that_are_here(site: Path) -> None:
    page = (site / "board.html").read_text()
    for bundle in (ROOT / "results" / "community").glob("*.zip"):
        assert f"<td>{bundle.stem}</td>" in page


def test_everything_registered_is_in_the_catalogue_with_its_formulas(site: Path):
    for kind, page in {"estimator": "estimators", "problem": "problems", "control variate": "control-variates"}.items():
        text = (site / "catalogue" / f"{page}.html").read_text("utf-8")
        assert [name for name in components(kind) if f'<h2 id="{name}">' not in text] == []  # type: ignore[arg-type]
        assert "$" not in text.partition("<article")[2].partition("</article")[0]
    text = (site / "catalogue" / "estimators.html").read_text("utf-8")
    assert text.count("<math") > 50 and "\\frac" not in text


def test_every_command_is_in_the_reference(site: Path):
    text = (site / "commands.html").read_text("utf-8")
    assert [name for name in cli.commands if f"<code>gradmark {name} [OPTIONS]" not in text] == []
    assert "Sentinel" not in text


def test_a_cell_of_the_atlas_opens_what_was_measured(served: str, browser: Browser):
    page = browser.new_page()
    page.goto(f"{served}atlas.html")
    heads = page.locator(".atlas-scroll thead th[scope=col]")
    everything, first = heads.count(), heads.first.inner_text()
    assert everything == len(list((ROOT / "results" / "reference" / "atlas" / "statistics").glob("*.csv")))
    page.fill("input[name=find]", first)
    assert heads.all_inner_texts()[0] == first and heads.count() < everything
    page.locator("td.tied button").first.click()
    told = page.locator("dialog").inner_text()
    assert "unbiased" in told and f"-p '{first}'" in told
    page.locator("dialog button").click()
    assert not page.locator("dialog").is_visible()
    page.close()
