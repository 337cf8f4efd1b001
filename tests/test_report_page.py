"""The page of a report: how it sorts, filters and saves, and how it is with very many cells."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from frames import cell, frame
from matplotlib.figure import Figure
from playwright.sync_api import Page
from reports import a_run, column

from experiments.report import write_report


def test_every_table_has_headers(written: Path, show: Callable[..., Page]):
    page = show(written)
    assert page.locator("table").count() == 6
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
