"""The gate of the benchmarks: what is worse, its exit codes, and how it reads what asv wrote."""

import math
import mimetypes
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from asv import util
from playwright.sync_api import Browser, Route
from test_benchmarks import ASV, ROOT

from benchmarks import gate
from benchmarks.cases import CASES
from benchmarks.gate import THRESHOLDS, Row, Side
from benchmarks.seeded import PAIRS
from estimators.registry import make_estimator


def row(base: float | None, head: float | None, unit: str = "seconds", spread: float = 0.01, runs: int = 8) -> Row:
    def side(value: float | None) -> Side:
        timed = unit == "seconds" and value is not None
        return Side(value, tuple(value * (1 + spread * index) for index in range(runs)) if timed and value else ())

    return Row("suite.time_it('pathwise')", unit, side(base), side(head))


@pytest.mark.parametrize(
    ("unit", "base", "worse", "same"),
    [
        ("seconds", 1e-3, 1.6e-3, 1.4e-3),
        ("seconds", 10e-6, 35e-6, 25e-6),  # above the factor, below the change
        ("bytes", 3e8, 4e8, 3.2e8),
        ("instructions", 1e6, 1.2e6, 1.05e6),
        ("variance", 1.0, 2.0, 1.1),
        ("variance", 0.0, 1e-3, 1e-12),
        ("evaluations", 10, 20, 10),
    ],
)
def test_a_row_is_worse_beyond_a_factor_and_a_change(unit: str, base: float, worse: float, same: float):
    assert row(base, worse, unit).worse and row(worse, base, unit).better
    assert not row(base, same, unit).worse and not row(base, same, unit).better and not row(base, worse, unit).better


def test_a_time_that_may_be_chance_is_not_worse():
    assert row(1e-3, 2e-3).worse
    assert not row(1e-3, 2e-3, spread=0.5).worse and not row(1e-3, 2e-3, runs=3).worse


def test_what_fails_now_is_worse_and_what_is_new_is_not_comparable():
    assert row(1.0, None).worse and not row(1.0, None).comparable
    assert row(1.0, math.nan).worse, "what is tracked is what the second commit has"
    for base, head in [(None, 1.0), (math.nan, 1.0), (math.nan, None), (None, None), (math.nan, math.nan)]:
        assert not (row(base, head).worse or row(base, head).better or row(base, head).comparable)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ([row(1.0, 1.0)], None, 0),
        ([row(1.0, 2.0)], [row(1.0, 2.0)], 3),
        ([row(1.0, 2.0)], [row(1.0, 1.0)], 0),
        ([row(1.0, None), row(1.0, 1.0)], [row(1.0, None)], 3),
        ([], None, 4),
        ([row(math.nan, 1.0)], None, 4),
        ([row(1.0, None)], None, 4),
    ],
)
def test_the_exit_code(first, second, code, monkeypatch, capsys):
    runs = iter([first, second])
    asked = []
    monkeypatch.setattr(
        gate, "measured", lambda base, head, bench, rounds=None: (asked.append(list(bench)), next(runs))[1]
    )
    assert gate.gate("a" * 40, "b" * 40, ["it"]) == code
    assert asked == [["it"], *([[r"^suite\.time_it\('pathwise'\)$"]] if second else [])]
    out = capsys.readouterr().out
    assert out.startswith("**aaaaaaaa → bbbbbbbb**: ")
    assert ("| worse | `suite.time_it('pathwise')` | 1.00s |" in out) == (code == 3), out


def test_a_commit_that_is_not_there_is_bad_usage(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    for arguments, message in [
        (["nowhere", "HEAD"], "there is no commit 'nowhere' here"),
        (["HEAD", "HEAD", "--bench", "("], "unterminated subpattern"),
    ]:
        with pytest.raises(SystemExit) as ended:
            gate.main(arguments)
        assert ended.value.code == 2 and message in capsys.readouterr().err


def test_where_asv_measured_nothing_the_gate_says_so(monkeypatch, capsys):
    def measured(*arguments: object) -> list[Row]:
        raise util.UserError("no benchmarks")

    monkeypatch.setattr(gate, "measured", measured)
    assert gate.gate("a", "b", []) == 4 and capsys.readouterr().out == "nothing was measured: no benchmarks\n"


def test_by_default_every_room_of_estimators_is_timed_and_every_number_that_is_seeded_compared(monkeypatch):
    asked = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(gate, "gate", lambda base, head, bench, rounds: asked.append((bench, rounds)) or 0)
    for arguments in ([], ["--all"], ["--bench", "x"]):
        gate.main(["HEAD", "HEAD", *arguments])
    (default, _), *others = asked
    assert others == [([], None), (["x"], None)]
    named = [f"gradients.Gradients.time_gradient({spec!r}, 'cpu')" for spec in CASES]
    chosen = [spec for spec, name in zip(CASES, named, strict=True) if any(re.search(one, name) for one in default)]
    rooms = {spec: type(make_estimator(spec)).__module__.split(".")[1] for spec in CASES}
    assert {rooms[spec] for spec in chosen} == set(rooms.values()) and len(chosen) < 20
    for what in ("total_variance", "evaluations"):
        rows = [f"seeded.Seeded.track_{what}({pair!r})" for pair in PAIRS]
        kept = [pair for pair, row in zip(PAIRS, rows, strict=True) if any(re.search(one, row) for one in default)]
        assert {PAIRS[pair][0] for pair in kept} == set(CASES) and len(kept) == len(CASES)


def test_what_is_not_measured_here_is_named():
    rows = [row(1.0, 1.0), Row("counts.count('pathwise')", "instructions", Side(math.nan), Side(math.nan))]
    assert gate.report(rows, [], "a", "b").endswith("0 without a counterpart\n\nNot measured here: counts.count")


def test_thresholds_of_the_documentation_and_pins_of_asv_are_those_in_use():
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", page, re.MULTILINE))
    said = {unit: f"{factor:g} | {gate.figure(change, unit)}" for unit, (factor, change) in THRESHOLDS.items()}
    assert {unit: rows.get(unit) for unit in said} == said
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    wanted = util.load_json(str(ROOT / "asv.conf.json"), js_comments=True)["matrix"]["req"]
    assert wanted == {name: [pins[name]] for name in wanted}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A project of two commits with these benchmarks, of which one was run on each, in this environment."""
    folder = tmp_path_factory.mktemp("history")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "asv.conf.json", folder)

    def call(*command: str) -> str:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env={**ENVIRONMENT, "HOME": str(folder)}
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.strip()

    call("git", "init", "--quiet", "--initial-branch=main")
    call("git", "add", ".")
    call(*ASV, "machine", "--yes")
    commits = []
    for index in range(2):
        call("git", *AUTHOR, "commit", "--quiet", "--allow-empty", f"--message=commit {index}")
        commits.append(call("git", "rev-parse", "HEAD"))
        run = ["run", "--python=same", "--set-commit-hash", commits[-1], "--bench", r"time_cold_start\('--help'\)"]
        call(*ASV, *run, "--record-samples")
    call(*ASV, "publish")
    return folder, commits


AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@localhost")


ENVIRONMENT = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


def test_the_gate_reads_what_asv_wrote(history, monkeypatch):
    folder, (before, after) = history
    (machine,) = [path.name for path in (folder / ".asv" / "results").iterdir() if path.is_dir()]
    monkeypatch.chdir(folder)
    for commit in (before, after):
        found = gate._sides(".asv/results", machine, commit, since=0)
        measured = {name: side for name, side in found.items() if side.samples}
        assert list(measured) == ["whole.ColdStart.time_cold_start('--help')"]
        (side,) = measured.values()
        assert side.value is not None and 0.01 < side.value < 5 and len(side.samples) == 8
        assert math.isnan(found["whole.ColdStart.time_cold_start('list')"].value)  # type: ignore[arg-type]
    assert gate._sides(".asv/results", machine, before, since=4e9) == {}, "of an earlier run"


NODE_MODULES = {
    "jquery-3.3.1.min.js": "jquery/dist/jquery.min.js",
    "jquery.flot.min.js": "flot/jquery.flot.js",
    "jquery.flot.time.min.js": "flot/jquery.flot.time.js",
    "jquery.flot.selection.min.js": "flot/jquery.flot.selection.js",
    "jquery.flot.categories.min.js": "flot/jquery.flot.categories.js",
    "jquery.flot.orderBars.js": "flot-orderbars/js/jquery.flot.orderBars.js",
    "stupidtable.min.js": "stupid-table-plugin/stupidtable.min.js",
    "md5.min.js": "blueimp-md5/js/md5.min.js",
    "bootstrap.min.js": "bootstrap/dist/js/bootstrap.min.js",
    "bootstrap.min.css": "bootstrap/dist/css/bootstrap.min.css",
}


PACKAGES = ["jquery@3.3.1", "flot@0.8.3", "flot-orderbars@1.0.0", "stupid-table-plugin@1.1.3", "blueimp-md5@2.19.0"]
PACKAGES += ["bootstrap@3.1.1"]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages of asv take from elsewhere."""
    if shutil.which("npm") is None:
        pytest.skip("no npm in the PATH, which brings the scripts that the pages of asv load")
    folder = tmp_path_factory.mktemp("scripts")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "node_modules"


def test_the_published_site_shows_the_history(history, scripts, browser: Browser):
    folder, commits = history
    site = folder / ".asv" / "html"

    def answer(route: Route) -> None:
        url = urlsplit(route.request.url)
        here = url.netloc == "site.test"
        file = site / unquote(url.path).lstrip("/") if here else scripts / NODE_MODULES[url.path.rpartition("/")[2]]
        text = file.read_bytes() if file.is_file() else b""
        if file.name == "index.html":  # the scripts from npm are not minified alike
            text = re.sub(rb' integrity="[^"]*"', b"", text)
        headers = {"Access-Control-Allow-Origin": "*"}
        kind = mimetypes.guess_type(file)[0]
        route.fulfill(status=200 if file.is_file() else 404, body=text, content_type=kind, headers=headers)

    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error.message))
    page.route("**", answer)
    page.goto("http://site.test/index.html#/")
    page.get_by_text("time_cold_start").first.wait_for()
    page.goto("http://site.test/index.html#/whole.ColdStart.time_cold_start?p-command='--help'")
    drawn = "($('#main-graph').data('plot')?.getData() ?? []).flatMap(series => series.data)"
    page.wait_for_function(f"{drawn}.length")
    points = page.evaluate(drawn)
    assert len(points) == len(commits) == 2 and all(0.01 < seconds < 5 for _, seconds in points), points
    assert not errors
    page.close()
