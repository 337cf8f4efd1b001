r"""The exponential distribution.

Its weak derivative in $\lambda$: $c = 1 / \lambda$, $x^+ = E_1 / \lambda$, $x^- = (E_1 + E_2) / \lambda$, coupled by
the same $E_1$, where $E_1$ and $E_2$ are Exp(1).
"""

import torch.distributions as td

from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import location_scale, minus_log
from estimators.sampling.weak_derivatives import Pair, two_exponentials


@register_family(td.Exponential)
def exponential() -> Family:
    return Family(
        forms=location_scale(minus_log, lambda q, z: z / q.rate),
        widened=lambda q, factor: td.Exponential(q.rate / factor),
        weak_derivatives={
            "rate": Pair(
                lambda q: 1 / q.rate,
                lambda q, e, more: e / q.rate,
                lambda q, e, more: (e + more) / q.rate,
                two_exponentials,
            )
        },
    )
