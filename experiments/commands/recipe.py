"""The lines of Python that use an estimator in a training loop."""

__all__ = ["recipe"]


def recipe(estimator: str, num_samples: int, learns: bool) -> list[str]:
    """An import, and three lines; `problem` and `params` (tensors with a gradient, by name) are the user's.

    An estimator that learns is fitted as it was for measuring.
    """
    made = f'estimator = make_estimator("{estimator}")'
    if not learns:
        imports, made = "from estimators import make_estimator", f"{made}  # once"
    else:
        imports = "from estimators import IID, make_estimator, replicated"
        made += f".fit(problem, replicated(params, 1), {num_samples}, IID(0))  # now and then"
    step = f"loss = estimator.loss(problem, params, num_samples={num_samples})  # every step"
    return [imports, made, step, "loss.backward()"]
