"""What a reader must know beside the numbers: warnings, and the cells that have none."""

from experiments.ranking.remarks import NUMBER, grouped
from experiments.store import FAILURES
from experiments.store.columns import Column, Row

__all__ = ["UNFINISHED", "unfinished", "warnings"]

UNFINISHED = [
    Column("status", heading="status"),
    Column("estimator", heading="estimator"),
    Column("problem", heading="problem"),
    Column("num_samples", heading="S"),
    Column("device", heading="device"),
    Column("dtype", heading="dtype"),
    Column("error", heading="reason"),
]
GROUP = [column.name for column in UNFINISHED if column.name != "num_samples"]


def warnings(rows: list[Row]) -> dict[str, list[str]]:
    """Warning -> the cells that carry it, with its numbers where those are what differs."""
    groups = grouped((_name(row), warning) for row in rows for warning in (row["warnings"] or "").splitlines())
    found = {}
    for pattern, pairs in groups.items():
        if len({warning for _, warning in pairs}) == 1:
            found[pairs[0][1]] = [name for name, _ in pairs]
        else:
            found[pattern] = [f"{name}: {', '.join(NUMBER.findall(warning))}" for name, warning in pairs]
    return found


def _name(row: Row) -> str:
    return f"{row['estimator']} on {row['problem']}, S = {row['num_samples']} ({row['device']}, {row['dtype']})"


def unfinished(rows: list[Row]) -> list[Row]:
    """Cells and timings without figures, and skipped cells; cells that differ in num_samples alone share a row."""
    groups: dict[tuple, list[int]] = {}
    for row in rows:
        status, timing = row["status"], row["timing_status"]
        if status == "done" and timing in FAILURES:
            status = f"timing {timing}"
        if status != "done":
            groups.setdefault((status, *(row[name] for name in GROUP[1:])), []).append(row["num_samples"])
    return [
        dict(zip(GROUP, key, strict=True)) | {"num_samples": ", ".join(map(str, sorted(samples)))}
        for key, samples in sorted(groups.items(), key=lambda group: group[0][:3])
    ]
