"""Sweeps: which cells to measure, and when each has enough replicates. Start with `experiments.sweep.keys`."""

from experiments.measuring.stop import Stop
from experiments.sweep.cell import Cell
from experiments.sweep.files import read_sweep, shipped_sweeps, sweep_from_flags
from experiments.sweep.grid import cells_of
from experiments.sweep.keys import Exclude, Sweep, Timing
from experiments.sweep.published import Published
from experiments.training.settings import Train

__all__ = [
    "Cell",
    "Exclude",
    "Published",
    "Stop",
    "Sweep",
    "Timing",
    "Train",
    "cells_of",
    "read_sweep",
    "shipped_sweeps",
    "sweep_from_flags",
]
