"""The report, as a browser shows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frames import cell, frame
from playwright.sync_api import Browser, Page
from reports import CELLS, PROVENANCE, a_run, column, rows

from experiments.report import write_report
from experiments.report.notes import warnings
from experiments.store.columns import records

HOSTILE = """<script>window.hacked = 1</script>"><img src=x onerror="window.hacked = 1">'{{ 7 * 7 }}-->"""


def test_title_counts_and_how_to_reproduce(written: Path, show: Callable[..., Page]):
    page = show(written)
    assert page.title() == "gradmark report: quickstart"
    assert "14 cells: 11 done, 0 failed, 2 skipped, 1 out-of-memory." in " ".join(
        page.locator("#cells p").first.inner_text().split()
    )
    assert "the smallest error for the time on" in page.locator("h1").inner_text()
    assert "Bias, variance and wall-clock time of" in page.locator("header").inner_text()
    assert page.locator("#provenance pre").inner_text() == PROVENANCE["command_line"]
    table = page.get_by_role("region", name="Provenance").locator("table")
    assert rows(table) == [[name, value] for name, value in PROVENANCE.items()]


def test_an_unfinished_run_says_so(tmp_path: Path, show: Callable[..., Page]):
    page = show(write_report(a_run(frame(cell()), missing=6), tmp_path / "report.html"))
    assert "6 of 7 planned cells are still missing" in page.locator("header").inner_text()


def test_cells_have_their_numbers_and_verdicts_their_meaning(written: Path, show: Callable[..., Page]):
    page = show(written)
    region = page.get_by_role("region", name="Cells", exact=True)
    assert column(region, "estimator") == [
        f"{name} (conditional on its fit)" if name == "relax" else name
        for name in CELLS.query("status == 'done'")["estimator"]
    ]
    assert column(region, "total variance [cost²/parameter²]")[3] == "4 [3.8, 4.2]"
    assert column(region, "squared bias [cost²/parameter²]")[3] == "0.0001 [-0.0002, 0.0005]"
    assert column(region, "replicates")[3] == "20,000"
    assert not any("SNR" in heading for heading in region.locator("thead th").all_inner_texts()), "no cell has one"
    assert "effective_sample_size 3.25" in column(region, "diagnostics")
    meanings = page.locator("#cells dl")
    assert meanings.locator("dt").all_inner_texts() == ["unbiased", "biased", "undetermined"]
    assert all(len(text) > 40 for text in meanings.locator("dd").all_inner_texts())


def test_warnings_name_their_cells(written: Path, show: Callable[..., Page]):
    page = show(written)
    found = page.locator("#warnings details")
    assert found.locator("summary").all_inner_texts() == [
        "kurtosis 230: the interval is too narrow",
        "half-width above 25 %",
    ]
    assert found.nth(1).locator("li").count() == 2


def test_warnings_that_differ_in_their_numbers_are_one():
    told = [f"heavy tails (kurtosis about {k})" for k in (24, 1900)]
    cells = [cell("spsa", warnings=told[0]), cell("pathwise", warnings=f"{told[1]}\nmore than 5 %")]
    found = warnings(records(frame(*cells)))
    assert list(found) == ["heavy tails (kurtosis about …)", "more than 5 %"]
    assert [text.rpartition(": ")[2] for text in found["heavy tails (kurtosis about …)"]] == ["24", "1900"]


def test_failures_and_skips_have_their_reasons(written: Path, show: Callable[..., Page]):
    page = show(written)
    table = page.get_by_role("region", name="Failed and skipped cells").locator("table")
    assert [[row[0], row[1], row[3], row[-1]] for row in rows(table)] == [
        ["out-of-memory", "rebar", "8", "OutOfMemoryError: 20 GiB"],
        ["skipped", "arms", "1, 10", "arms needs bits"],
        ["timing timeout", "arm", "2", "time limit of 60 s"],
    ]


def test_figures_are_there_with_text_for_those_who_cannot_see_them(written: Path, show: Callable[..., Page]):
    page = show(written)
    figures = page.get_by_role("img")
    assert figures.count() == 4
    for figure in figures.all():
        box = figure.bounding_box()
        assert box and box["width"] > 300 and box["height"] > 200
        assert "7 estimators on 2 problems" in (figure.get_attribute("aria-label") or "")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    wanted = page.evaluate("[...document.querySelectorAll('use')].map(e => e.href.baseVal.slice(1))")
    assert wanted and set(wanted) <= set(ids)


def test_whatever_a_run_holds_is_text(tmp_path: Path, show: Callable[..., Page]):
    names = ("device", "dtype", "verdict", "claim", "device_name", "stop_reason", "reference")
    columns: dict[str, Any] = dict.fromkeys(names, HOSTILE)
    cells = frame(
        cell(HOSTILE, HOSTILE, warnings=HOSTILE, diagnostics=HOSTILE, **columns),
        cell("other " + HOSTILE, HOSTILE, device="cuda", work_normalized_variance=None),
        cell(HOSTILE, HOSTILE, 2, status="failed", error=HOSTILE),
    )
    run = a_run(cells, provenance={HOSTILE: HOSTILE, "command_line": HOSTILE})
    page = show(write_report(run, tmp_path / "<b>bold" / "report.html"))
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 1
    assert page.locator("img, b").count() == 0
    assert page.title() == "gradmark report: <b>bold"
    assert page.locator("#provenance pre").inner_text() == HOSTILE
    for section in ("summary", "cells", "warnings", "unfinished", "provenance"):
        assert HOSTILE in page.locator(f"#{section}").inner_text(), section


def test_the_policy_stops_a_script_even_if_it_got_in(written: Path, tmp_path: Path, browser: Browser):
    smuggled = tmp_path / "report.html"
    smuggled.write_text(written.read_text("utf-8").replace("</main>", "<script>window.hacked = 1</script>"), "utf-8")
    page = browser.new_page()
    page.goto(smuggled.as_uri())
    assert page.evaluate("window.hacked") is None
    page.close()


def test_an_empty_run_has_a_report(tmp_path: Path, show: Callable[..., Page]):
    page = show(write_report(a_run(frame(), provenance={}), tmp_path / "report.html"))
    assert "No cell is done." in page.locator("#summary").inner_text()
    assert "The command line was not recorded." in page.locator("#provenance").inner_text()
    assert page.get_by_role("img").count() == 3


def test_a_failed_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_report(a_run(frame()), tmp_path / "report.html")
    before = path.read_bytes()

    def fail(self: Path, text: str, *_: object) -> None:
        self.write_bytes(b"half of")
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="no space"):
        write_report(a_run(frame()), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
