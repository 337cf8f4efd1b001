"""What a measurement says of the claim of one estimator on one problem."""

from dataclasses import dataclass

from experiments.measuring.measurement import Measurement
from experiments.terminal.numbers import percent

__all__ = ["COLUMNS", "Check"]

COLUMNS = ["problem", "estimator", "claim", "conclusion", "bias/‖g‖", "would have been seen", "replicates"]


@dataclass(frozen=True)
class Check:
    """A measurement, or why there is none."""

    estimator: str
    problem: str
    measurement: Measurement | None
    reason: str = ""
    failed: bool = False

    @property
    def conclusion(self) -> str:
        found = self.measurement
        if found is None:
            return "FAILED" if self.failed else "unsupported"
        if found.nonfinite:
            return "NOT FINITE"
        if found.verdict is None:
            return "no reference"
        if found.claim == "biased":
            return "biased, as claimed" if found.verdict == "biased" else "bias not seen"
        return {"biased": "REFUTED", "unbiased": "passed"}.get(found.verdict, "undetermined")

    @property
    def refuted(self) -> bool:
        """A claim to be unbiased does not hold."""
        claimed = self.measurement is not None and self.measurement.claim == "unbiased"
        return claimed and self.conclusion in ("REFUTED", "NOT FINITE")

    @property
    def remarks(self) -> list[str]:
        """What the table does not say, in lines."""
        if self.measurement is not None:
            return [f"{self.estimator} on {self.problem}: {warning}" for warning in self.measurement.warnings]
        if self.failed:
            return [f"gradmark: {self.estimator} failed on {self.problem}: {self.reason}"]
        return [f"{self.problem}: {self.estimator} is not supported: {self.reason}"]

    @property
    def row(self) -> list[str]:
        """The cells of `COLUMNS`."""
        found, bias = self.measurement, ""
        assert found is not None
        if found.squared_bias is not None and found.gradient_norm and not found.nonfinite:
            relative = [max(value, 0.0) ** 0.5 / found.gradient_norm for value in found.squared_bias]
            bias = f"{percent(relative[0])} [{percent(relative[1])}, {percent(relative[2])}]"
        figures = [bias, percent(found.detectable_bias), f"{found.replicates:,}"]
        return [self.problem, self.estimator, found.claim, self.conclusion, *figures]
