"""Cells of a run computed anew with other noise, and which of its figures differ by more than chance."""

from experiments.verifying.answer import Answer, Judged
from experiments.verifying.choice import UNTRUSTED
from experiments.verifying.verification import verify

__all__ = ["UNTRUSTED", "Answer", "Judged", "verify"]
