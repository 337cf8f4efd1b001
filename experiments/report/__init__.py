"""The report of a run: one HTML file that needs nothing beside it.

>>> write_report(load("results/quickstart"), Path("results/quickstart/report.html"))
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.machine.files import replacing
from experiments.plots import plots_of
from experiments.ranking.digest import biases, sentences
from experiments.ranking.stored import rankings
from experiments.ranking.work_map import map_table
from experiments.report.heading import headline, subject
from experiments.report.notes import UNFINISHED, unfinished, warnings
from experiments.report.pictures import figures
from experiments.report.ranking import tables
from experiments.report.training import trainings
from experiments.store import Run
from experiments.store.columns import COLUMNS, records
from experiments.terminal.labels import labels
from experiments.terminal.numbers import number

__all__ = ["write_report"]

TEMPLATES = Path(__file__).with_name("templates")


def write_report(run: Run, path: Path, drawings: Mapping[str, Figure] | None = None) -> Path:
    """Write the report of a run to `path`, whole or not at all, and return the path.

    `drawings` are the `plots_of` the run, where they are at hand already.

    The file asks nothing of the network, and no script runs in it but its own. Whatever the run holds (specs, errors,
    diagnostics) appears as text.
    """
    rows = records(run.cells)
    done = [row for row in rows if row["status"] == "done"]
    script = (TEMPLATES / "report.js").read_text("utf-8")
    found, named = rankings(run), labels(run.done["estimator"])
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"number": number, "zip": partial(zip, strict=True)}
    environment.trim_blocks = environment.lstrip_blocks = True
    page = environment.get_template("report.html").render(
        name=path.resolve().parent.name,
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        provenance=run.provenance,
        planned=run.planned,
        counts=Counter(row["status"] for row in rows),
        rows=done,
        columns=[column for column in COLUMNS.values() if column.heading and any(map(column.show, done))],
        headline=headline(found, named),
        subject=subject(run),
        map=map_table(found),
        sentences=sentences(run, found),
        biases=biases(run.measured),
        named=named,
        rankings=tables(found),
        trainings=trainings(run),
        figures=figures(run.cells, drawings or plots_of(run)),
        warnings=warnings(rows),
        unfinished=unfinished(rows),
        unfinished_columns=UNFINISHED,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, "utf-8", "backslashreplace")  # a path may hold bytes that are no text
    return path
