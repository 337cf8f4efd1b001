"""A run of made-up cells, and the tables of its report."""

import pandas as pd
from frames import cell, frame
from playwright.sync_api import Locator

from experiments.store import Run

__all__ = ["CELLS", "PROVENANCE", "a_run", "column", "rows"]

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


def rows(table: Locator) -> list[list[str]]:
    """The cells of the body, by rows."""
    return table.evaluate("t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim()))")


def column(region: Locator, heading: str) -> list[str]:
    headings = region.locator("thead th").all_text_contents()
    return [row[[text.strip() for text in headings].index(heading)] for row in rows(region.locator("table"))]
