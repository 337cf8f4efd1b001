"""Pyro: the gradients of stochastic variational inference, particles vectorised.

Pyro minimises E over q of log q − log p. A model that draws from q itself leaves the cost alone: log p is log q − cost.
Its score function has no baseline from the other particles; the running average that it has is used.
"""

import math
from collections.abc import Callable

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions.testing.fakes import NonreparameterizedNormal
from pyro.infer import Trace_ELBO, TraceGraph_ELBO
from torch import Tensor
from torch.distributions import Bernoulli, Gamma

from benchmarks.peers.models import Model, model_of
from benchmarks.peers.torch_loop import loop
from benchmarks.peers.work import NETWORKS, PROGRAMS, Block, Case

__all__ = ["blocks"]

REPLICATES = 20
BASELINE = {"baseline": {"use_decaying_avg_baseline": True}}


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name in NETWORKS | PROGRAMS:
        return {}
    pyro.enable_validation(False)
    return {"Pyro": (loop(one_gradient(case), REPLICATES), REPLICATES)}


def one_gradient(case: Case) -> Callable[[], Tensor]:
    model = model_of(case)
    pyro.clear_param_store()
    leaves = [pyro.param(name, value).unconstrained() for name, value in model.params.items()]
    step = _bound(model, case.num_samples) if case.estimator == "iwae" else _expectation(model, case)

    def one() -> Tensor:
        step()
        gradient = torch.cat([leaf.grad.flatten() for leaf in leaves])
        for leaf in leaves:
            leaf.grad = None
        return gradient

    return one


def _expectation(model: Model, case: Case) -> Callable[[], object]:
    reparameterized = case.estimator == "pathwise"

    def q() -> tuple[Tensor, dict[str, Tensor]]:
        params = {name: pyro.param(name) for name in model.params}
        infer = {} if reparameterized else BASELINE
        return pyro.sample("x", _distribution(model, params, reparameterized), infer=infer), params

    def p() -> None:
        x, params = q()
        pyro.factor("cost", -model.cost(x, None, params))

    kind = Trace_ELBO if reparameterized else TraceGraph_ELBO
    elbo = kind(num_particles=case.num_samples, vectorize_particles=True, max_plate_nesting=0)
    return lambda: elbo.loss_and_grads(p, q)


def _bound(model: Model, particles: int) -> Callable[[], object]:
    """An objective of one's own: Pyro's Rényi bound has one weight for all data points, not one for each."""
    images = model.q(model.params).mean.shape[0]

    def q() -> tuple[Tensor, dict[str, Tensor]]:
        params = {name: pyro.param(name) for name in model.params}
        with pyro.plate("particles", particles, dim=-2), pyro.plate("images", images, dim=-1):
            return pyro.sample("z", _distribution(model, params, reparameterized=True)), params

    def p() -> None:
        z, params = q()
        with pyro.plate("weights", images, dim=-1):
            pyro.factor("weight", -model.cost(z, model.q(params), params))

    def step() -> None:
        guide = poutine.trace(q).get_trace()
        trace = poutine.trace(poutine.replay(p, trace=guide)).get_trace()
        guide.compute_log_prob()
        trace.compute_log_prob()
        log_weights = trace.nodes["z"]["log_prob"] + trace.nodes["weight"]["log_prob"] - guide.nodes["z"]["log_prob"]
        (-(log_weights.logsumexp(0) - math.log(particles)).sum()).backward()

    return step


def _distribution(model: Model, params: dict[str, Tensor], reparameterized: bool) -> dist.TorchDistribution:
    q = model.q(params)
    if isinstance(q, Bernoulli):
        return dist.Bernoulli(logits=q.logits).to_event(1)
    if isinstance(q, Gamma):
        return dist.Gamma(q.concentration, q.rate).to_event(1)
    kind = dist.Normal if reparameterized else NonreparameterizedNormal
    return kind(q.loc, q.scale).to_event(1)
