"""A run in one archive: the same bytes of the same run, opened as the run, refused by name where it was changed."""

import json
import re
import zipfile

import pandas as pd
import pytest
from bundles import SOURCES, edited, members, tiny
from stored_cells import CELLS, KEYS

from experiments.engine import run
from experiments.store import Changed, StoreError, bundle, load, merge
from experiments.sweep import read_sweep
from experiments.terminal.progress import silent

TABLES = ("parameters", "signals", "traces", "timings", "leave_one_out")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("bundle"))


def test_a_bundle_opens_as_its_run_does_but_for_tracebacks(made):
    """They name folders of the machine."""
    kept, found = load(made.parent / "run"), load(made)
    pd.testing.assert_frame_equal(found.cells, kept.cells.assign(traceback=None))
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(found, name), getattr(kept, name))
    assert (found.plan, found.provenance, found.sources) == (kept.plan, kept.provenance, SOURCES)
    assert json.loads(found.sweep) == {"name": "tiny"} and b"somebody" not in b"".join(members(made).values())


def test_the_same_run_gives_the_same_bytes_whenever_and_from_wherever(made, tmp_path):
    (tmp_path / "again.zip").write_bytes(b"what was there before")
    for source in (made.parent / "run", made):
        bundle(load(source), tmp_path / "again.zip", "MIT License\n")
        assert (tmp_path / "again.zip").read_bytes() == made.read_bytes()


def test_nothing_in_an_archive_tells_when_or_by_whom_it_was_written(made):
    with zipfile.ZipFile(made) as opened:
        infos = opened.infolist()
    assert {(info.date_time, info.external_attr >> 16, info.create_system) for info in infos} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)


def test_the_tables_are_read_without_gradmark(made, tmp_path):
    (tmp_path / "cells.jsonl").write_bytes(members(made)["cells.jsonl"])
    cells = pd.read_json(tmp_path / "cells.jsonl", lines=True)
    assert cells["total_variance"].tolist()[0] == 2.5 and cells["status"].tolist() == ["done", "skipped", "failed"]


def test_a_bundle_of_an_earlier_version_lacks_what_that_had_not(made):
    """Columns that may be empty, and tables."""
    older = edited(made, "bundle.json", lambda text: text.replace(b'"schema": 8', b'"schema": 7'), hashed=True)
    found = load(edited(older, "signals.jsonl", lambda text: None, hashed=True))
    assert len(found.signals) == 0 and list(found.signals) == list(load(made).signals)
    pd.testing.assert_frame_equal(found.cells, load(made).cells)


def swapped(content: bytes) -> bytes:
    """The first two cells with each other's estimator."""
    return content.replace(b'"num_samples": 10', b'"num_samples": 7').replace(
        b'"num_samples": 1,', b'"num_samples": 10,'
    )


CELL = f"cell {KEYS[0]} (plain on bowl, S="


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        (
            "cells.jsonl",
            lambda text: text.replace(b"2.5", b"0.5"),
            ["cells.jsonl was changed", f"{CELL}1) was changed"],
        ),
        ("cells.jsonl", swapped, [f"{CELL}10) was changed", f"cell {KEYS[1]} (plain on bowl, S=7) was changed"]),
        ("parameters.jsonl", lambda text: text.replace(b"0.25", b"0.5"), [f"{CELL}1) was changed"]),
        ("timings.jsonl", lambda text: text.replace(b"0.1", b"0.01"), ["timings.jsonl was changed", f"{CELL}1)"]),
        ("cells.jsonl", lambda text: text[text.index(b"\n") + 1 :], [f"cell {KEYS[0]} was changed"]),
        ("plugins/1/mine.py", lambda text: text + b"import os\n", ["plugins/1/mine.py was changed"]),
        ("plugins/1/beside.py", lambda text: None, ["plugins/1/beside.py is missing"]),
        ("plugins/1/other.py", lambda text: b"", ["plugins/1/other.py is not in the manifest"]),
        ("signals.jsonl", lambda text: None, ["signals.jsonl is missing"]),
        ("provenance.json", lambda text: text.replace(b"some", b"fast"), ["provenance.json was changed"]),
        ("LICENSE", lambda text: b"", ["LICENSE was changed"]),
        ("manifest.json", lambda text: re.sub(rb'("sha256": ")\w', rb"\1z", text), ["hash of all files is not that"]),
        (
            "manifest.json",
            lambda text: re.sub(rb'("cells": \{\s*"\w+": ")\w', rb"\1z", text),
            ["the hashes of the cells are not those of their rows"],
        ),
    ],
)
def test_what_was_changed_is_named(made, name, edit, told):
    with pytest.raises(Changed) as refused:
        load(edited(made, name, edit))
    assert all(part in str(refused.value) for part in told) and "\n" not in str(refused.value), refused.value


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        ("manifest.json", lambda text: None, "manifest.json is missing"),
        ("manifest.json", lambda text: b"[" * 10_000, "manifest.json: "),
        ("bundle.json", lambda text: None, "bundle.json is missing"),
        ("bundle.json", lambda text: text.replace(b'"schema": 8', b'"schema": 9'), "a later version of gradmark wrote"),
        ("bundle.json", lambda text: text.replace(KEYS[1].encode(), KEYS[0].encode()), "planned twice"),
        ("bundle.json", lambda text: text.replace(b"1/mine", b"1/none"), "plugins/1/none.py is missing"),
        ("bundle.json", lambda text: text.replace(KEYS[0].encode(), b"none"), f"'{KEYS[0]}', which is not planned"),
        ("provenance.json", lambda text: b'{"cpu": 3}', "provenance.json: Expected `str`"),
        ("sweep.json", lambda text: b"\xff", "sweep.json: "),
        ("traces.jsonl", lambda text: None, "traces.jsonl is missing"),
        ("cells.jsonl", lambda text: text + text, "stands twice in cells.jsonl"),
        ("cells.jsonl", lambda text: text[:-1], "cells.jsonl ends within a line"),
        ("cells.jsonl", lambda text: text.replace(b'"done"', b'"well"'), "'well', which is none"),
        ("cells.jsonl", lambda text: text.replace(b"2.5", b'"2.5"'), "cells.jsonl, line 1: "),
        ("cells.jsonl", lambda text: text.replace(b"2.5", b"1e999"), "cells.jsonl, line 1: "),
        ("cells.jsonl", lambda text: text.replace(b"20000", b"2" * 30), "cells.jsonl"),
        ("cells.jsonl", lambda text: b"[" * 100_000 + b"\n" + text, "cells.jsonl, line 1: "),
        ("cells.jsonl", lambda text: text.replace(b'"batch": 0', b'"bunch": 0'), "cells.jsonl, line 1: "),
        ("cells.jsonl", lambda text: text.replace(b"bowl", b"b\\u001b[2Jowl"), "a text has control characters"),
        ("parameters.jsonl", lambda text: b"\xff\n" + text, "parameters.jsonl, line 1: "),
        ("leave_one_out.jsonl", lambda text: text.replace(b"0.0", b"null"), "leave_one_out.jsonl, line 1: "),
        ("leave_one_out.jsonl", lambda text: text.replace(b"0.0, 0.0", b"0.0"), "logs of other than 64 groups"),
        ("leave_one_out.jsonl", lambda text: text.replace(b"0.0,", b'"Infinity",', 1), "logs of other than 64 groups"),
        ("cells.jsonl", lambda text: text.replace(b"20000", b"0"), "a cell that is done has too few replicates"),
        ("cells.jsonl", lambda text: text.replace(b"20000", b"-1"), "cells.jsonl: replicates is negative"),
        (
            "cells.jsonl",
            lambda text: text.replace(b"2.5", b"1.5"),
            "cells.jsonl: total_variance is not in its interval",
        ),
        ("cells.jsonl", lambda text: text.replace(b'"unbiased"', b'"<script>"'), "has the verdict '<script>', which"),
        (
            "cells.jsonl",
            lambda text: re.sub(rb", .device_name.: .some CPU.", b"", text),
            "no device_name",
        ),
        ("parameters.jsonl", lambda text: text.replace(b"0.25", b"-0.25"), "parameters.jsonl: variance is negative"),
        ("timings.jsonl", lambda text: text.replace(b"0.1", b"-0.1"), "timings.jsonl: seconds is negative"),
        ("evil.py", lambda text: b"import os", "evil.py is no file of a bundle"),
        (
            "bundle.json",
            lambda text: text.replace(b"plugins/1/mine.py", b"LICENSE"),
            "LICENSE is no source of a plug-in",
        ),
        (
            "plugins/1/mine.py",
            lambda text: b"# coding: utf-7\n+AAo-import os\n",
            "is not the plain UTF-8 that a reader",
        ),
        ("plugins/1/mine.py", lambda text: b"# \x1b[8m\nimport os\n", "is not the plain UTF-8 that a reader"),
        ("provenance.json", lambda text: text.replace(b"some", b"s\\u001b[2J"), "has control characters"),
        ("cells.jsonl", lambda text: text.replace(b'"plain"', b'"plain\\n::warning::"'), "estimator has several lines"),
        ("cells.jsonl", lambda text: text.replace(b'"batch"', b'"\\u001b[2J"'), "cells.jsonl, line 1: "),
        ("plugins/1/mine.so", lambda text: b"\x7fELF", "plugins/1/mine.so is no source of a plug-in"),
    ],
)
def test_what_is_no_bundle_although_its_hashes_fit(made, name, edit, told):
    with pytest.raises(StoreError, match="is no bundle that can be read: ") as refused:
        load(edited(made, name, edit, hashed=name != "manifest.json"))
    assert told in str(refused.value) and "\n" not in str(refused.value), refused.value


SWEEP = """
plugins = ["mine.py", "others/mine.py"]
estimator = ["exact"]
problem = ["gaussian-quadratic:dim=1"]
stop = { replicates = 64 }
timing = { enabled = false }
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run with two plug-ins of one name, one of them with a neighbour."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "others").mkdir()
    (folder / "mine.py").write_text("import beside\n")
    (folder / "beside.py").write_text("X = 1\n")
    (folder / "others" / "mine.py").write_text("X = 2\n")
    (folder / "sweep.toml").write_text(SWEEP)
    run(read_sweep(folder / "sweep.toml"), folder / "run", silent())
    return folder


def test_a_run_keeps_its_plug_ins_as_they_were(measured):
    (measured / "mine.py").write_text("X = 3\n")
    found = load(measured / "run")
    kept = {
        ("1/mine.py", True, b"import beside\n"),
        ("1/beside.py", False, b"X = 1\n"),
        ("2/mine.py", True, b"X = 2\n"),
    }
    assert set(found.sources) == kept
    asked = json.loads(found.sweep)
    assert asked["plugins"] == ["1/mine.py", "2/mine.py"] and asked["stop"]["replicates"] == 64
    assert str(measured) not in found.sweep


def test_merged_runs_keep_the_plug_ins_of_all(measured, made, tmp_path):
    merge([measured / "run", made], tmp_path / "both")
    paths = [source.path for source in load(tmp_path / "both").sources]
    assert {path.partition("/")[0] for path in paths} == {"1", "2"} and len(paths) == 3 + len(SOURCES)
    merge([made, made], tmp_path / "same")
    assert load(tmp_path / "same").sources == SOURCES


def test_the_command_writes_it_and_says_what_is_missing(made, gradmark, tmp_path):
    code, out, err = gradmark("bundle", str(made.parent / "run"))
    assert (code, out) == (0, "run.zip\n")
    assert err.startswith("3 cells, sha256 ") and "; 1 that were planned are missing, repeat the run; 1 failed: " in err
    assert "MIT License" in members(tmp_path / "run.zip")["LICENSE"].decode()
    (tmp_path / "terms").write_text("CC0")
    assert gradmark("bundle", "run.zip", "-o", "new/mine.zip", "--license", "terms")[0] == 0
    assert members(tmp_path / "new" / "mine.zip")["LICENSE"] == b"CC0"
    assert load(tmp_path / "new" / "mine.zip").plan == tuple(cell.key for cell in CELLS)


def test_what_cannot_be_read_of_a_plug_in_stays_at_home(tmp_path):
    compiled = SOURCES[1]._replace(path="1/beside.so")
    assert [source.path for source in load(tiny(tmp_path, (SOURCES[0], compiled))).sources] == ["1/mine.py"]


def test_a_plug_in_without_a_portable_name_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"'plugins/1/what\?.py' cannot go into a bundle, .*: rename the file"):
        tiny(tmp_path, (SOURCES[0]._replace(path="1/what?.py"),))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_commands_open_a_bundle_as_a_run(made, gradmark, tmp_path):
    code, out, _ = gradmark("show", str(made), "--columns", "estimator,status")
    assert code == 0 and len(out.splitlines()) == 1 + 3
    (tmp_path / "mine.zip").write_bytes(made.read_bytes())
    code, out, _ = gradmark("compare", "mine.zip", str(made.parent / "run"))
    assert code == 0 and "2 cells in both runs: 0 worse, 0 better" in out
    code, out, _ = gradmark("report", "mine.zip")
    assert (code, out) == (0, "mine-bundle/report.html\n")
    code, out, err = gradmark("show", str(edited(made, "LICENSE", lambda text: b"")))
    assert code == 2 and not out and err.count("\n") == 1 and "LICENSE was changed" in err
