"""The lines of Python that use an estimator in a training loop."""

__all__ = ["recipe"]

GIVEN = "# problem: an object of your class; params: its parameters by name, tensors with requires_grad"


def recipe(estimator: str, num_samples: int, learns: bool) -> list[str]:
    """What is given, an import, and three lines.

    An estimator that learns is fitted as it was for measuring.
    """
    made = f'estimator = make_estimator("{estimator}")'
    if not learns:
        imports, made = "from estimators import make_estimator", f"{made}  # once"
    else:
        imports = "from estimators import IID, make_estimator, replicated"
        made += f".fit(problem, replicated(params, 1), {num_samples}, IID(0))  # now and then"
    step = f"loss = estimator.loss(problem, params, num_samples={num_samples})  # every step"
    return [GIVEN, imports, made, step, "loss.backward()"]
