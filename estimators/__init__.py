"""Monte Carlo gradient estimators behind one interface. Start with `estimators.interface`."""

from estimators.interface import ControlVariate, Estimator, Params, Problem, Unsupported, learned, replicated
from estimators.latent import LatentVariableProblem
from estimators.noise import IID
from estimators.registry import (
    load_plugin,
    make_estimator,
    make_problem,
    register_control_variate,
    register_estimator,
    register_problem,
)

__all__ = [
    "IID",
    "ControlVariate",
    "Estimator",
    "LatentVariableProblem",
    "Params",
    "Problem",
    "Unsupported",
    "learned",
    "load_plugin",
    "make_estimator",
    "make_problem",
    "register_control_variate",
    "register_estimator",
    "register_problem",
    "replicated",
]
