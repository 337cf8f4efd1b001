"""From a model and a guide of Pyro to a program."""

from collections.abc import Callable
from typing import Any

from estimators.programs import Program

__all__ = ["from_pyro"]


def from_pyro(model: Callable[..., Any], guide: Callable[..., Any], *data: Any, **named: Any) -> Program:
    r"""The negative ELBO $E_{z \sim q}[\log q(z) - \log p(x, z)]$ of a Pyro model p and guide q, as a program.

        problem = from_pyro(model, guide, torch.tensor([1.0, 0.0, 1.0]))
        rank(problem)

    `data` are what model and guide are called with. Each latent `pyro.sample` of the guide is a variable of the
    program, named as its site; its parameters are those of Pyro, unconstrained, at their present values. Neither the
    parameters nor Pyro's store of them are changed.

    Raises ValueError where Pyro is not installed, or where model and guide have what a program cannot have: parts of
    the data drawn at random (`subsample_size`), sites that are summed out in the model, observations in the guide.
    """
    try:
        import pyro  # noqa: F401
    except ModuleNotFoundError as error:
        raise ValueError("Pyro is not installed: pip install 'gradmark[pyro]'") from error
    from estimators.pyro.negative_elbo import negative_elbo

    return negative_elbo(model, guide, data, named)
