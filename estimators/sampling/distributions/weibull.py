r"""The Weibull distribution.

Its weak derivative in the scale s: $c = k / s$, $x^+ = s (E_1 + E_2)^{1/k}$, $x^- = s E_1^{1/k}$, coupled by the same
$E_1$, where $E_1$ and $E_2$ are Exp(1).
"""

import torch.distributions as td

from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import by_quantile, minus_log
from estimators.sampling.weak_derivatives import Pair, two_exponentials


@register_family(td.Weibull)
def weibull() -> Family:
    return Family(
        forms=by_quantile(minus_log, lambda q, z: q.scale * z ** (1 / q.concentration)),
        widened=lambda q, factor: td.Weibull(q.scale * factor, q.concentration),
        weak_derivatives={
            "scale": Pair(
                lambda q: q.concentration / q.scale,
                lambda q, e, more: q.scale * (e + more) ** (1 / q.concentration),
                lambda q, e, more: q.scale * e ** (1 / q.concentration),
                two_exponentials,
            )
        },
    )
