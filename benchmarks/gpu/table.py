"""What was measured on a device, as table.csv and table.md."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.peers.work import CASES
from experiments.machine.provenance import provenance
from experiments.terminal.tables import markdown_table

__all__ = ["machine", "write"]

COLUMNS = {
    "case": "case",
    "implementation": "implementation",
    "gradients_per_second": "gradients per second",
    "ratio": "faster than the plain loop by",
    "events": "a gradient of a chunk, by events (µs)",
    "latency": "one gradient (µs)",
    "kernels": "its kernels (µs)",
    "peak_bytes": "memory of a chunk (MB)",
    "notes": "remarks",
}
MICRO = {"events", "latency", "kernels"}


def machine(device: str) -> str:
    """The device and the versions, in a line."""
    known = provenance()
    names = ("gpu", "gpu_driver", "cuda") if device != "cpu" else ("cpu",)
    return ", ".join(f"{name} {known[name]}" for name in (*names, "torch", "python", "gradmark") if known.get(name))


def write(rows: list[dict[str, Any]], checks: dict[str, str], device: str, folder: Path) -> None:
    """Both files, with what is known so far."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows, columns=[*COLUMNS, "ratio_low", "ratio_high", "wrong"])
    table.to_csv(folder / "table.csv", index=False)
    parts = [f"On: {machine(device)}.", markdown_table(["check", "result"], [[*item] for item in checks.items()])]
    parts += ["\n".join(f"- {case.title}" for case in CASES)]
    lines = [[_text(name, row[name]) for name in COLUMNS] for row in table.to_dict("records")]
    parts += [markdown_table(list(COLUMNS.values()), lines)]
    (folder / "table.md").write_text("\n\n".join(parts) + "\n", "utf-8")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    if name == "gradients_per_second":
        return f"{value:,.0f}"
    scale = 1e6 if name in MICRO else 1e-6 if name == "peak_bytes" else 1.0
    return f"{value * scale:.3g}"
