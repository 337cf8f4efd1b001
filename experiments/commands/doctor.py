"""`gradmark doctor`: whether everything works on this machine, and what to fix."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from experiments.commands.exits import FAILED, WELL
from experiments.machine.caching import cache_folder

UNTOLD = ("command_line", "time")
EXTRAS = {
    "distributed": ("cluster", "--scheduler"),
    "pyarrow": ("parquet", "show --format parquet"),
    "pyro": ("pyro", "rank --pyro"),
}


@click.command("doctor")
def command() -> int:
    """Versions, devices and threads; whether everything works here, and what to fix."""
    from experiments.machine.provenance import provenance
    from experiments.terminal.tables import print_table

    print_table(["fact", "value"], [[name, value] for name, value in provenance().items() if name not in UNTOLD])
    click.echo()
    findings = [(name, *_try(check)) for name, check in CHECKS.items()]
    print_table(["check", "result", "what to do"], [[name, result, advice] for name, result, advice, _ in findings])
    return FAILED if any(broken for *_, broken in findings) else WELL


def _try(check: Callable[[], tuple[str, str, bool]]) -> tuple[str, str, bool]:
    try:
        return check()
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0], "report this", True


def _known_variance(device: str = "cpu") -> tuple[str, str, bool]:
    from estimators.registry import make_estimator, make_problem
    from experiments.measuring.loop import measure

    problem, estimator = make_problem("gaussian-quadratic:dim=1"), make_estimator("pathwise")
    found = measure(problem, estimator, replicates=20_000, device=device)
    expected = 4.0 + 12.0  # 4σ² for loc, 4d² + 8σ² for log_scale, at d = σ = 1
    low, high = found.total_variance.low, found.total_variance.high
    margin = high - low  # three standard errors and more, so that a sound machine never fails
    sound = low - margin <= expected <= high + margin and found.verdict != "biased"
    return f"variance {found.total_variance.value:.4g}, exact {expected:.4g}", "" if sound else "report this", not sound


def _cuda() -> tuple[str, str, bool]:
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device", "none needed; for one, install torch's CUDA build (see the README)", False
    found, advice, broken = _known_variance("cuda")
    return f"{torch.cuda.get_device_name()}: {found}", advice, broken


def _plugins() -> tuple[str, str, bool]:
    from estimators.registry import components

    numbers = [f"{len(components(kind))} {kind}s" for kind in ("estimator", "problem", "control variate")]
    return ", ".join(numbers), "", False


def _extras() -> tuple[str, str, bool]:
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    advice = [f"pip install 'gradmark[{extra}]' for {use}" for extra, use in map(EXTRAS.__getitem__, missing)]
    return f"{', '.join(missing)} not installed" if missing else "all installed", "; ".join(advice), False


def _compiler() -> tuple[str, str, bool]:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return "no C++ compiler", "install g++ to use --compile", False
    return f"{compiler}, for --compile", "", False


def _writable(folder: Path) -> tuple[str, str, bool]:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return f"{folder} can be written", "", False
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}", "work in another folder", True


CHECKS: dict[str, Callable[[], tuple[str, str, bool]]] = {
    "a known variance": _known_variance,
    "GPU": _cuda,
    "plug-ins": _plugins,
    "extras": _extras,
    "compiler": _compiler,
    "results": lambda: _writable(Path.cwd() / "results"),
    "cache of references": lambda: _writable(cache_folder()),
}
