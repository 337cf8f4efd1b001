"""Monte Carlo gradient estimators behind one interface. Start with `estimators.interface`."""

from estimators.interface import (
    Claim,
    ControlVariate,
    Estimator,
    LatentVariableProblem,
    Noise,
    Objective,
    Params,
    PathControl,
    PathSamples,
    Problem,
    ScoredSamples,
    Traits,
    Unsupported,
    VariationalProblem,
    learned,
    replicated,
    started_at,
)
from estimators.modules import ReplicatedModule
from estimators.noise import IID
from estimators.noise.scheme import Scheme, register_scheme
from estimators.programs import ContextProgram, LatentProgram, Penalty, Program, register_program
from estimators.pyro import from_pyro
from estimators.registry import (
    load_plugin,
    make_estimator,
    make_problem,
    register_control_variate,
    register_estimator,
    register_problem,
)
from estimators.sampling.families import Drawn, drawn, log_prob, sample, values
from estimators.sampling.family import Family, register_family

__all__ = [
    "IID",
    "Claim",
    "ContextProgram",
    "ControlVariate",
    "Drawn",
    "Estimator",
    "Family",
    "LatentProgram",
    "LatentVariableProblem",
    "Noise",
    "Objective",
    "Params",
    "PathControl",
    "PathSamples",
    "Penalty",
    "Problem",
    "Program",
    "ReplicatedModule",
    "Scheme",
    "ScoredSamples",
    "Traits",
    "Unsupported",
    "VariationalProblem",
    "drawn",
    "from_pyro",
    "learned",
    "load_plugin",
    "log_prob",
    "make_estimator",
    "make_problem",
    "register_control_variate",
    "register_estimator",
    "register_family",
    "register_problem",
    "register_program",
    "register_scheme",
    "replicated",
    "sample",
    "started_at",
    "values",
]
