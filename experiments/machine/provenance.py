"""Where numbers come from: versions, machine, command line."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

__all__ = ["SOURCE", "cpu_name", "license_text", "provenance", "version"]

SOURCE = Path(__file__).resolve().parents[2]
PACKAGES = ("gradmark", "torch", "numpy", "pandas")


def provenance() -> dict[str, str]:
    """What a reader needs to tell one run from another. Unknown entries are left out; nothing here fails."""
    import torch  # here, so that importing this module stays fast

    entries = {package: version(package) for package in PACKAGES}
    entries |= {
        "git_commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()}",
        "command_line": shlex.join(["gradmark", *sys.argv[1:]]),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if torch.cuda.is_available():
        entries["gpu"] = torch.cuda.get_device_name()
        entries["cuda"] = torch.version.cuda or ""
        entries["gpu_driver"] = _first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return {key: value for key, value in entries.items() if value}


@cache
def version(package: str = "gradmark") -> str:
    """The version of a package that is installed; '' where it is not, or runs from its source alone."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def license_text() -> str:
    """The licence of gradmark, as it is installed or in its checkout; its name where neither is at hand."""
    try:
        installed = importlib.metadata.distribution("gradmark").read_text("licenses/LICENSE")
    except importlib.metadata.PackageNotFoundError:
        installed = None
    own = SOURCE / "LICENSE"
    if installed is None and (SOURCE / "pyproject.toml").exists() and own.exists():
        installed = own.read_text("utf-8")
    return installed or "MIT License\n"


def _commit() -> str:
    """The commit of gradmark's own checkout; '' where it is installed, even inside another project's checkout."""
    top = _first_line("git", "-C", str(SOURCE), "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != SOURCE:
        return ""
    return _first_line("git", "-C", str(SOURCE), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _first_line(*command: str) -> str:
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (found.stdout.splitlines() or [""])[0].strip()
