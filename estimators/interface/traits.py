"""What an estimator or a control variate takes and needs."""

from dataclasses import dataclass
from typing import final

__all__ = ["Traits"]


@final
@dataclass(frozen=True)
class Traits:
    """Properties that a component declares, so that what is built of it knows without a trial."""

    structured: bool = True
    """The samples are draws from one distribution, one by one, so that a structured source can place them."""
    independent_samples: bool = False
    """What is claimed holds for independent samples only: a structured source makes the estimate biased."""
    samples_of_q: bool = False
    """What is claimed needs all samples to be from q: those of a proposal do not do."""
    differentiates_samples: bool = False
    """The samples have to be differentiable functions of the parameters."""
    own_parameters: bool = False
    """Every cost needs parameters of its own: they are moved, or figures are kept for each of them."""
    log_weights: bool = False
    """Log-weights of a latent-variable problem are combined data point by data point."""
