"""Shared by all tests: one thread, a cache of references that does not outlive the session, and the command line."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import checked_calls  # before anything that imports estimators
import pytest
import torch
from compilers import Given
from playwright.sync_api import Browser, Page, sync_playwright
from processes import own_tables
from reports import CELLS, a_run
from sweeps import PLUGIN

from estimators.control_variates import neural_baseline
from estimators.learning import least_variance, variance_gradient
from experiments.cli import main
from experiments.gradients import workload
from experiments.measuring import find_reference
from experiments.timing import rounds

torch.set_num_threads(1)
os.environ.pop("COLUMNS", None)  # how wide the terminal of the tests is

calls_in_a_block, longest = rounds._calls_in_a_block, rounds.LONGEST
SHORT = 0.001
"""Seconds of a block of timing."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file goes to one process, with what its fixtures make and its tests cache, unless its tests say otherwise."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """pytest 9.2 hides the groups from pytest-xdist 3.8, which then makes the fixtures of a file in every process."""
    assert item.config.getvalue("dist") != "loadgroup" or "@" in item.nodeid, "the groups of tests are not seen"
    checked_calls.start_again()


@pytest.fixture(scope="session", autouse=True)
def reference_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def short_blocks() -> Iterator[None]:
    """Gradients are timed in blocks of a few calls, of few replicates: it is seldom a time that a test is about."""

    def few(step: Callable[[], None], block_seconds: float = SHORT) -> int:
        return calls_in_a_block(step, min(block_seconds, SHORT))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "_calls_in_a_block", few)
        patch.setattr(rounds, "LONGEST", SHORT)
        yield


@pytest.fixture
def full_blocks(monkeypatch: pytest.MonkeyPatch, short_blocks: None) -> None:
    """As gradmark times them, for tests of the time itself."""
    monkeypatch.setattr(rounds, "_calls_in_a_block", calls_in_a_block)
    monkeypatch.setattr(rounds, "LONGEST", longest)


@pytest.fixture
def small_chunks() -> Iterator[None]:
    """A chunk is always drawn in full: where a test wants few replicates, most of it is thrown away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workload, "MOST_REPLICATES", 2**12)
        yield


@pytest.fixture
def short_fits() -> Iterator[None]:
    """What an estimator owes, it owes with any coefficients: those of a few steps will do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variance_gradient, "STEPS", 20)
        patch.setattr(neural_baseline, "FIT_STEPS", 20)
        patch.setattr(least_variance, "FIT_REPLICATES", 500)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium in the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from experiments.report import write_report  # matplotlib, which few processes need

    return write_report(a_run(CELLS), tmp_path_factory.mktemp("runs") / "quickstart" / "report.html")


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a file, and fails if the page asks for anything else or complains."""
    contexts = []

    def show(path: Path, **options: object) -> Page:
        context = browser.new_context(**options)  # pyright: ignore
        contexts.append(context)
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        assert asked == [path.as_uri()]
        assert complaints == []
        return page

    yield show
    for context in contexts:
        context.close()


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """What a test registers is gone with it: others go over all that is registered."""
    with own_tables():
        yield


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No reference gradient that was measured before."""
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(find_reference, "_uncached", {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One with a plug-in, beside which sweep files lie; the registry is as before afterwards."""
    path = tmp_path_factory.mktemp("sweeps")
    (path / "mine.py").write_text(PLUGIN)
    with own_tables():
        yield path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """In place of torch.compile."""
    made = Given()
    monkeypatch.setattr(torch, "compile", made)
    return made


@pytest.fixture
def gradmark(monkeypatch, capsys, tmp_path):
    """Runs the command in an empty working directory: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gradmark", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return run
