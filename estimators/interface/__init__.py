"""What a problem, an estimator and a control variate are; no algorithm. Read `estimator.py` first."""

from estimators.interface.component import Component, learned
from estimators.interface.control_variate import ControlVariate, ScoredSamples
from estimators.interface.estimator import Claim, Estimator, Noise, Unsupported
from estimators.interface.latent import LatentVariableProblem
from estimators.interface.params import Params, attached, derivative, distinct, replicated
from estimators.interface.problem import Problem

__all__ = [
    "Claim",
    "Component",
    "ControlVariate",
    "Estimator",
    "LatentVariableProblem",
    "Noise",
    "Params",
    "Problem",
    "ScoredSamples",
    "Unsupported",
    "attached",
    "derivative",
    "distinct",
    "learned",
    "replicated",
]
