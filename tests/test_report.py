"""The report, as a browser shows it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from frames import cell, frame
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Locator, Page

from experiments.report import write_report
from experiments.report.notes import warnings
from experiments.store import Run
from experiments.store.columns import records

HOSTILE = """<script>window.hacked = 1</script>"><img src=x onerror="window.hacked = 1">'{{ 7 * 7 }}-->"""

# A mixture of everything: two problems (one without an exact gradient), failures, skips, warnings.
CELLS = frame(
    cell("exact", num_samples=1, work_normalized_mse=(0.0, 0.0, 0.0), total_variance=(0.0, 0.0, 0.0)),
    cell("score-function", num_samples=1, work_normalized_mse=(9e-3, 8e-3, 9.5e-3)),
    cell("score-function", num_samples=10, work_normalized_mse=(2e-3, 1e-3, 3e-3)),
    cell("pathwise", num_samples=10, work_normalized_mse=(1e-4, 9e-5, 1.2e-4), mse=(5.0, 4.75, 5.25)),
    cell("spsa", num_samples=10, work_normalized_mse=(1.1e-4, 1e-4, 1.3e-4), verdict="biased", claim="biased"),
    cell("relax", num_samples=10, work_normalized_mse=(5e-3, 4e-3, 6e-3), verdict="undetermined", fitted=True),
    cell("arm", num_samples=2, timing_status="timeout", error="time limit of 60 s", seconds_per_gradient=None)
    | dict.fromkeys(["work_normalized_mse", "work_normalized_variance"]),
    cell(
        "disarm",
        num_samples=2,
        work_normalized_mse=(1.15e-4, 1e-4, 1.3e-4),
        warnings="kurtosis 230: the interval is too narrow\nhalf-width above 25 %",
    ),
    cell("disarm", num_samples=4, warnings="half-width above 25 %", diagnostics='{"effective_sample_size": 3.25}'),
    cell("rebar", num_samples=8, status="out-of-memory", error="OutOfMemoryError: 20 GiB", timing_status=""),
    *(cell("arms", num_samples=s, status="skipped", error="arms needs bits", timing_status="") for s in (1, 10)),
    *(
        cell(name, "digits-vae", reference="none", work_normalized_variance=(x, x, x), work_normalized_mse=(None,) * 3)
        for name, x in (("score-function", 3e-3), ("pathwise", 2e-3))
    ),
)
PROVENANCE = {"gradmark": "0.1.0", "cpu": "Xeon", "command_line": "gradmark run quickstart --seed 0"}


def a_run(cells: pd.DataFrame, missing: int = 0, provenance: dict[str, str] = PROVENANCE) -> Run:
    nothing = pd.DataFrame()
    traces = pd.DataFrame(columns=["key", "quantity", "step", "replicate", "value"])
    return Run(cells, nothing, nothing, traces, nothing, provenance, plan=(*cells["key"], *["missing"] * missing))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def rows(table: Locator) -> list[list[str]]:
    """The cells of the body, by rows."""
    return table.evaluate("t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim()))")


def column(region: Locator, heading: str) -> list[str]:
    headings = region.locator("thead th").all_text_contents()
    return [row[[text.strip() for text in headings].index(heading)] for row in rows(region.locator("table"))]


def test_title_counts_and_how_to_reproduce(written: Path, show: Callable[..., Page]):
    page = show(written)
    assert page.title() == "gradmark report: quickstart"
    assert "14 cells: 11 done, 0 failed, 2 skipped, 1 out-of-memory." in " ".join(
        page.locator("header p").inner_text().split()
    )
    assert page.locator("#provenance pre").inner_text() == PROVENANCE["command_line"]
    table = page.get_by_role("region", name="Provenance").locator("table")
    assert rows(table) == [[name, value] for name, value in PROVENANCE.items()]


def test_an_unfinished_run_says_so(tmp_path: Path, show: Callable[..., Page]):
    page = show(write_report(a_run(frame(cell()), missing=6), tmp_path / "report.html"))
    assert "6 of 7 planned cells are still missing" in page.locator("header").inner_text()


def test_ranking_by_mse_and_time(written: Path, show: Callable[..., Page]):
    page = show(written)
    region = page.get_by_role("region", name="Ranking on gaussian-quadratic")
    places = list(zip(*(column(region, name) for name in ("place", "estimator", "S", "verdict")), strict=True))
    assert places == [
        ("1", "pathwise", "10", "unbiased"),
        ("2 ≈", "disarm", "2", "unbiased"),
        ("3", "score-function", "10", "unbiased"),
        ("4", "relax (conditional on its fit)", "10", "undetermined"),
        ("biased", "spsa", "10", "biased"),
        ("yardstick", "exact", "1", "unbiased"),
    ]
    assert column(region, "MSE × time [cost² s/parameter²]")[0] == "0.0001 [9e-05, 0.00012]"
    assert column(region, "MSE [cost²/parameter²]")[0] == "5 [4.75, 5.25]"
    assert column(region, "time per gradient")[0] == "200 [190, 220] µs"
    summary = " ".join(page.locator("#summary").inner_text().split())
    assert "Smallest MSE × time: pathwise with S = 10 on cpu; 1 other cannot be told from it." in summary
    assert "Not ranked: arm (its timing ran past the limit)." in summary


def test_an_estimator_is_ranked_where_it_is_not_biased(tmp_path: Path, show: Callable[..., Page]):
    cells = frame(
        cell("spsa", num_samples=1, work_normalized_mse=(2e-4, 1e-4, 3e-4)),
        cell("spsa", num_samples=10, work_normalized_mse=(1e-5, 1e-5, 1e-5), verdict="biased"),
        cell("evolution-strategies", work_normalized_mse=(1e-6, 1e-6, 1e-6), claim="biased", verdict="undetermined"),
    )
    region = show(write_report(a_run(cells), tmp_path / "report.html")).get_by_role("region", name="Ranking on")
    places = list(zip(*(column(region, name) for name in ("place", "estimator", "S")), strict=True))
    assert places == [("1", "spsa", "1"), ("biased", "evolution-strategies", "10")]


def test_what_waits_for_kernels_is_marked(tmp_path: Path, show: Callable[..., Page]):
    one = {"seconds_per_gradient": (3e-4, 2.9e-4, 3.1e-4), "compile_seconds": 7.5}
    cells = frame(
        cell("pathwise", kernel_seconds_per_gradient=1e-5, **one),
        cell("spsa", kernel_seconds_per_gradient=2e-4, **one),
        cell("exact"),
    )
    page = show(write_report(a_run(cells), tmp_path / "report.html"))
    region = page.get_by_role("region", name="Cells", exact=True)
    assert column(region, "… in kernels of the GPU") == ["10 µs (launch-bound)", "200 µs", "–"]
    assert column(region, "time to compile") == ["7.5 s", "7.5 s", "–"]


def test_a_measured_gradient_serves_to_rank_by_error(tmp_path: Path, show: Callable[..., Page]):
    costs = {"pathwise": (2e-4, 1e-4, 3e-4), "score-function": (1e-4, 9e-5, 1.1e-4)}
    cells = frame(*(cell(name, reference="measured", work_normalized_mse=cost) for name, cost in costs.items()))
    region = show(write_report(a_run(cells), tmp_path / "report.html")).get_by_role("region", name="Ranking on")
    assert column(region, "estimator") == ["score-function", "pathwise"]
    assert column(region, "MSE × time [cost² s/parameter²]")[0] == "0.0001 [9e-05, 0.00011]"


def test_estimators_of_another_objective_have_no_place(tmp_path: Path, show: Callable[..., Page]):
    cells = frame(
        cell("dreg", work_normalized_mse=(1e-6, 1e-6, 1e-6), target="bound of 10 samples"),
        cell("exact", work_normalized_mse=(0.0, 0.0, 0.0)),
        cell("somebodys-own", work_normalized_mse=(3e-4, 2e-4, 4e-4)),
        cell("pathwise", work_normalized_mse=(2e-4, 1e-4, 3e-4)),
    )
    region = show(write_report(a_run(cells), tmp_path / "report.html")).get_by_role("region", name="Ranking on")
    assert list(zip(column(region, "place"), column(region, "estimator"), strict=True)) == [
        ("1", "pathwise"),
        ("2 ≈", "somebodys-own"),
        ("other objective", "dreg"),
        ("yardstick", "exact"),
    ]


def test_ranking_by_variance_without_a_gradient_to_compare_with(written: Path, show: Callable[..., Page]):
    region = show(written).get_by_role("region", name="Ranking on digits-vae")
    assert column(region, "estimator") == ["pathwise", "score-function"]
    assert column(region, "variance × time [cost² s/parameter²]") == ["0.002 [0.002, 0.002]", "0.003 [0.003, 0.003]"]


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


def test_every_table_has_headers(written: Path, show: Callable[..., Page]):
    page = show(written)
    assert page.locator("table").count() == 5
    assert page.locator("thead th:not([scope=col])").count() == 0
    assert page.locator("table:not(:has(thead th))").count() == 0
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_press_on_a_heading_sorts_by_value(written: Path, show: Callable[..., Page]):
    page = show(written)
    region = page.get_by_role("region", name="Ranking on gaussian-quadratic")
    heading = region.get_by_role("button", name="MSE × time")
    heading.press("Enter")
    assert column(region, "estimator")[:3] == ["exact", "pathwise", "spsa"]
    assert region.locator("[aria-sort=ascending]").count() == 1
    heading.click()
    assert column(region, "estimator")[0] == "relax (conditional on its fit)"
    assert region.locator("[aria-sort=descending]").inner_text().startswith("MSE × time")
    cells = page.get_by_role("region", name="Cells", exact=True)
    for _ in range(2):  # what has no value stays last
        cells.get_by_role("button", name="MSE × time").click()
        assert column(cells, "MSE × time [cost² s/parameter²]")[-1] == "\N{EN DASH}"


def luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, by WCAG 2."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(scheme: str, written: Path, show: Callable[..., Page]):
    page = show(written, color_scheme=scheme)
    style = "(e, name) => getComputedStyle(e)[name]"
    paper = luminance(page.locator("body").evaluate(style, "backgroundColor"))
    assert (paper > 0.5) == (scheme == "light")
    texts = {name: page.locator(name).first for name in ("p", "figcaption", "nav a", "tbody th", "tbody td")}
    texts |= {verdict: page.locator(f".verdict.{verdict}").first for verdict in ("unbiased", "biased", "undetermined")}
    colours = {name: text.evaluate(style, "color") for name, text in texts.items()}
    colours["figure"] = page.locator("svg [id*=text_] g").first.evaluate(style, "fill")
    for name, colour in colours.items():
        dark, light = sorted((paper, luminance(colour)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, name


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_the_page_itself_never_scrolls_sideways(width: int, written: Path, show: Callable[..., Page]):
    page = show(written, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


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


def test_several_devices_are_ranked_side_by_side(tmp_path: Path, show: Callable[..., Page]):
    fast = cell("pathwise", device="cuda", device_name="H100", work_normalized_mse=(1e-6, 1e-6, 1e-6))
    page = show(write_report(a_run(frame(cell("pathwise"), fast)), tmp_path / "report.html"))
    region = page.get_by_role("region", name="Ranking on gaussian-quadratic")
    assert column(region, "device") == ["cuda, float32", "cpu, float32"]


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


def test_cells_are_filtered_by_words_and_verdict(written: Path, show: Callable[..., Page]):
    page = show(written)
    region = page.get_by_role("region", name="Cells", exact=True)
    shown = region.locator("tbody tr:visible th")
    everything = shown.count()
    page.get_by_label("Show cells with").press_sequentially("Score VAE")
    assert shown.all_inner_texts() == ["score-function"]
    assert page.locator(".filter output").inner_text() == f"1 of {everything} cells"
    page.get_by_label("Show cells with").fill("")
    page.get_by_label("verdict").select_option("biased")
    assert shown.all_inner_texts() == ["spsa"]
    region.get_by_role("button", name="MSE × time").click()
    assert shown.all_inner_texts() == ["spsa"], "sorting shows nothing that is filtered out"
    page.get_by_label("verdict").select_option("any")
    assert (
        shown.count() == everything
        and page.locator(".filter output").inner_text() == f"{everything} of {everything} cells"
    )


def test_figures_can_be_saved(written: Path, show: Callable[..., Page], tmp_path: Path):
    page = show(written)
    for link in page.get_by_role("link", name="Download as SVG").all():
        with page.expect_download() as started:
            link.click()
        started.value.save_as(tmp_path / "figure.svg")
        root = ElementTree.parse(tmp_path / "figure.svg").getroot()
        assert root.tag.endswith("svg") and "var(" not in (tmp_path / "figure.svg").read_text("utf-8")
        assert started.value.suggested_filename in [
            f"{kind}.svg" for kind in ("variance", "bias", "variance-time", "work")
        ]


def test_figures_of_very_many_lines_are_pixels(
    tmp_path: Path, show: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("experiments.report.pictures.LARGEST", 100)
    page = show(many_cells(tmp_path, 1, {kind: Figure() for kind in ("bias", "variance")}))
    assert page.locator("figure svg").count() == 0
    for link in page.get_by_role("link", name="Download as PNG").all():
        with page.expect_download() as started:
            link.click()
        started.value.save_as(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    image = page.get_by_role("img").first
    assert (image.bounding_box() or {})["width"] > 300 and "1 estimators" in (image.get_attribute("alt") or "")


def many_cells(folder: Path, estimators: int, drawings: dict[str, Figure] | None = None) -> Path:
    """A report of 100 cells an estimator."""
    pairs = [(f"spsa:step={i}", f"gaussian-cosine:k={j}") for i in range(estimators) for j in range(20)]
    cells = frame(*(cell(*pair, s, total_variance=(s, 0.9 * s, 1.1 * s)) for pair in pairs for s in range(1, 6)))
    return write_report(a_run(cells), folder / "report.html", drawings)


BLANK = {"bias": Figure(figsize=(1, 1))}


@pytest.mark.slow
def test_five_thousand_cells_open_within_two_seconds(tmp_path: Path, show: Callable[..., Page]):
    """With their figures; in processor time of the page, which does not depend on what else the machine does."""
    page = show(many_cells(tmp_path, 50))
    assert page.get_by_role("img").count() == 5
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload(wait_until="load")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    assert page.evaluate("document.querySelectorAll('#cells tbody tr').length") == 5000
    assert 0 < metrics["TaskDuration"] < 2


def test_of_very_many_cells_the_first_are_shown(tmp_path: Path, show: Callable[..., Page]):
    page = show(many_cells(tmp_path, 3, BLANK))
    region = page.get_by_role("region", name="Cells", exact=True)
    shown = region.locator("tbody tr:not([hidden])")
    output, more = page.locator(".filter output"), page.locator(".filter button")
    assert shown.count() == 200 and output.inner_text() == "200 of 300 cells" and more.is_visible()
    for name in ("spsa:step=0", "spsa:step=2"):
        region.get_by_role("button", name="estimator").click()
        assert shown.count() == 200 and shown.first.inner_text().startswith(name), "all are sorted, the first shown"
    page.get_by_label("Show cells with").fill("step=2 k=19")
    assert shown.count() == 5 and not more.is_visible()
    page.get_by_label("Show cells with").fill("step=2 s=5")
    assert shown.count() == 20 and set(shown.locator("td:nth-child(3)").all_inner_texts()) == {"5"}, "of a column"
    page.get_by_label("Show cells with").fill("")
    more.click()
    assert shown.count() == 300 and output.inner_text() == "300 of 300 cells" and not more.is_visible()


def test_without_scripts_all_cells_are_there(tmp_path: Path, show: Callable[..., Page]):
    page = show(many_cells(tmp_path, 3, BLANK), java_script_enabled=False)
    assert page.locator("#cells tbody tr:visible").count() == 300 and not page.locator(".filter").is_visible()
