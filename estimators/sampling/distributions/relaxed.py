"""The relaxed Bernoulli and the relaxed one-hot distribution, before torch puts them on the unit interval or simplex.

torch's own samplers cut off logits beyond 16 in float32.
Maddison, Mnih & Teh 2017; Jang, Gu & Poole 2017.
"""

from typing import Any

import torch
from torch import Tensor
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical
from torch.nn.functional import logsigmoid

from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import location_scale
from estimators.sampling.transforms import InverseCDF, LocationScale


def _place(q: Any, z: Tensor) -> Tensor:
    return (q.logits + z) / q.temperature


def _logistic(q: Any, y: Tensor) -> Tensor:
    return y * q.temperature - q.logits


def _log_prob(q: Any, y: Tensor) -> Tensor:
    z = _logistic(q, y)
    return logsigmoid(z) + logsigmoid(-z) + q.temperature.log()


def _gumbel(u: Tensor) -> Tensor:
    return -(-u.log()).log()


def _log_shares(q: Any, z: Tensor) -> Tensor:
    return _place(q, z).log_softmax(-1)


@register_family(LogitRelaxedBernoulli)
def logit_relaxed_bernoulli() -> Family:
    return Family(
        forms=location_scale(
            torch.logit,
            _place,
            cdf=lambda q, y: _logistic(q, y).sigmoid(),
            density=lambda q, y: _log_prob(q, y).exp(),
        ),
        log_prob=_log_prob,
    )


@register_family(ExpRelaxedCategorical)
def exp_relaxed_categorical() -> Family:
    return Family(
        forms={"location-scale": LocationScale(_gumbel, _log_shares), "inverse-cdf": InverseCDF(_gumbel, _log_shares)}
    )
