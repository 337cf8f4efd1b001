"""Published figures, measured again: which cells they are of, how closely they are measured, and whether they agree."""

from experiments.reproduction.figures import Figure, figures_of
from experiments.reproduction.found import Found, Verdict
from experiments.reproduction.loop import reproduce

__all__ = ["Figure", "Found", "Verdict", "figures_of", "reproduce"]
