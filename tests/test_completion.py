"""What the shells complete, by click's own classes and in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class

from experiments.cli import cli
from experiments.machine.caching import cache_folder
from experiments.terminal.completion import shells
from experiments.terminal.completion.remembered import known

SHELLS = ["bash", "zsh", "fish"]


def offered(shell: str, line: str, monkeypatch) -> list[str]:
    """What a shell is told when Tab is pressed at the end of a line."""
    words = line.split(" ")
    at = words[-1] if shell == "fish" else str(len(words) - 1)
    for name, value in {"COMP_WORDS": line, "COMP_CWORD": at, "COMP_LINE": line, "COMP_WORDBREAKS": " \t\n:="}.items():
        monkeypatch.setenv(name, value)
    cls = get_completion_class(shell)
    assert cls is not None
    return cls(cli, {}, "gradmark", "_GRADMARK_COMPLETE").complete().splitlines()


def whole(line: str, monkeypatch) -> list[str]:
    return [text.partition(",")[2] for text in offered("fish", line, monkeypatch)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gradmark check pathw", ["pathwise"]),
        ("gradmark run -e pathwise:form=i", ["pathwise:form=inverse-cdf", "pathwise:form=implicit"]),
        ("gradmark run -e pathwise:no", []),
        (
            "gradmark run -e stratified:scheme=sobol,base=(score-function:control_variate=leave",
            ["stratified:scheme=sobol,base=(score-function:control_variate=leave-one-out"],
        ),
        ("gradmark check score-function:control_variate=(lax:", ["score-function:control_variate=(lax:hidden=32"]),
        (
            "gradmark check stratified:base=(pathwise:form=implicit),scheme=so",
            ["stratified:base=(pathwise:form=implicit),scheme=sobol"],
        ),
        ("gradmark run -p gaussian-cosine:dim=4,k", ["gaussian-cosine:dim=4,k=1"]),
        ("gradmark run -p gaussian-cosine:dim=", ["gaussian-cosine:dim=10"]),
        ("gradmark rank gaussian-q", ["gaussian-quadratic"]),
        ("gradmark run quick", ["quickstart"]),
        ("gradmark new contr", ["control-variate"]),
        ("gradmark completion z", ["zsh"]),
    ],
)
def test_specs_and_names(line, expected, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = [item for item in whole(line, monkeypatch) if item]
    assert [item for item in found if item != line.split(" ")[-1]] == expected


def test_runs_and_files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "fifth", "other"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "results.sqlite").touch()
    (tmp_path / "results" / "fine.txt").touch()
    for file in ("mine.toml", "mine.py", "[odd].py"):
        (tmp_path / file).touch()
    assert whole("gradmark show fi", monkeypatch) == ["fifth", "first"]
    assert whole("gradmark compare first o", monkeypatch) == ["other"]
    assert whole("gradmark merge first f", monkeypatch) == ["fifth", "first"]
    assert whole("gradmark run mi", monkeypatch) == ["mine.toml"]
    assert whole("gradmark rank min", monkeypatch) == ["mine.py"]
    assert whole("gradmark check [od", monkeypatch) == ["[odd].py"]
    assert offered("bash", "gradmark run --plugin mi", monkeypatch) == ["file,mi"], "left to the shell"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gradmark check pathwise:form=im", "implicit"),
        ("gradmark check pathwise:form", "form=auto"),
        ("gradmark rank gaussian-cosine:dim=4,k=", "1"),
        ("gradmark run --estimator=score-function:control_variate=ta", "taylor"),
        ("gradmark run --estimator=pathw", "pathwise"),
        ("gradmark run -e 'score-function:control_variate=ta", "score-function:control_variate=taylor"),
    ],
)
def test_bash_gets_what_follows_its_last_break(line, expected, monkeypatch):
    assert offered("bash", line, monkeypatch)[0] == f"plain,{expected}"


def test_zsh_gets_the_option_back(monkeypatch):
    _, value, _ = offered("zsh", "gradmark run --estimator=score-function:control_variate=ta", monkeypatch)
    assert value == "--estimator=score-function:control_variate=taylor"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_file_that_follows_its_option_is_found(shell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    (tmp_path / "minor").mkdir()
    found = "\n".join(offered(shell, "gradmark run --plugin=mi", monkeypatch))
    assert "--plugin=mine.py" in found and "--plugin=minor/" in found


def test_bash_without_its_breaks_has_the_usual_ones(monkeypatch):
    """A script that starts gradmark, and is asked in its place, hands them not on."""
    monkeypatch.setattr("os.environ", {**os.environ, "COMP_LINE": "gradmark check pathwise:form=im"})
    monkeypatch.delitem(os.environ, "COMP_WORDBREAKS", raising=False)
    assert shells.Bash(cli, {}, "gradmark", "_GRADMARK_COMPLETE").complete() == "plain,implicit"


def test_torch_is_imported_once_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    imports = "import sys; from experiments.terminal.completion.remembered import known"
    script = f"{imports}; print(len(known()), 'torch' in sys.modules)"

    def told() -> str:
        return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()

    assert [told(), told()] == ["3 True", "3 False"]


def test_the_list_is_written_anew_where_it_is_stale_or_damaged(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    fresh = known()
    file = cache_folder() / "completion.json"
    written = file.read_text()
    for damaged in ("", "[]", "{", written.replace("pathwise", "passwise").replace('"state": "', '"state": "0')):
        file.write_text(damaged)
        assert known() == fresh and file.read_text() == written
    file.write_text(written.replace("pathwise", "passwise"))
    assert "passwise" in known()["estimator"], "while nothing changed, the cache is what is read"
    monkeypatch.setenv("GRADMARK_CACHE", "/dev/null/nowhere")
    assert known() == fresh


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_sound(shell, gradmark):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    code, script, _ = gradmark("completion", shell)
    checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert code == 0 and "gradmark" in script and checked.returncode == 0, checked.stderr


def test_a_real_bash_completes(gradmark, tmp_path):
    """Its function is called as bash calls it, with the words that bash makes of the line."""
    _, script, _ = gradmark("completion", "bash")
    line = "gradmark check score-function:control_variate=leave"
    program = f"""{script}
        COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}
        COMP_WORDS=(gradmark check score-function : control_variate = leave); COMP_CWORD=6
        _gradmark_completion gradmark; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    shell = subprocess.run(["bash", "-c", program], capture_output=True, text=True, env=environment)
    assert shell.stdout == "leave-one-out\n", shell.stderr
