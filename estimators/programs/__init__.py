"""Models of several random variables, written for one sample. Read `program.py` first."""

from estimators.programs.contexts import ContextProgram
from estimators.programs.faults import ProgramError
from estimators.programs.latent import LatentProgram
from estimators.programs.program import Program
from estimators.programs.visits import Penalty
from estimators.programs.writing import register_program

__all__ = ["ContextProgram", "LatentProgram", "Penalty", "Program", "ProgramError", "register_program"]
