"""What a problem, an estimator and a control variate are; no algorithm. Read `estimator.py` first."""

from estimators.interface.along_path import AlongPath
from estimators.interface.batches import batch_of, distinct, repeated
from estimators.interface.component import Component, learned
from estimators.interface.control_variate import Control, ControlVariate, ScoredSamples
from estimators.interface.estimator import Claim, Estimator, Noise, Unsupported
from estimators.interface.latent import LatentVariableProblem, Observed
from estimators.interface.objective import EXPECTED_COST, Objective
from estimators.interface.once import computed_once, once
from estimators.interface.params import Params, attached, derivative, hessian_product, in_range, replicated, scaled
from estimators.interface.parts import Part, check_ties, meet, parts_met
from estimators.interface.path_control import PathControl, PathSamples
from estimators.interface.per_sample import PerSample
from estimators.interface.problem import Problem, constant_cost, mean_cost, start
from estimators.interface.slopes import cost_slopes, slopes_and_products
from estimators.interface.starting import started_at
from estimators.interface.traits import Traits
from estimators.interface.variational import VariationalProblem
from estimators.interface.wrapper import Wrapper

__all__ = [
    "EXPECTED_COST",
    "AlongPath",
    "Claim",
    "Component",
    "Control",
    "ControlVariate",
    "Estimator",
    "LatentVariableProblem",
    "Noise",
    "Objective",
    "Observed",
    "Params",
    "Part",
    "PathControl",
    "PathSamples",
    "PerSample",
    "Problem",
    "ScoredSamples",
    "Traits",
    "Unsupported",
    "VariationalProblem",
    "Wrapper",
    "attached",
    "batch_of",
    "check_ties",
    "computed_once",
    "constant_cost",
    "cost_slopes",
    "derivative",
    "distinct",
    "hessian_product",
    "in_range",
    "learned",
    "mean_cost",
    "meet",
    "once",
    "parts_met",
    "repeated",
    "replicated",
    "scaled",
    "slopes_and_products",
    "start",
    "started_at",
]
