"""The lines of Python that use an estimator in a training loop."""

__all__ = ["recipe"]

GIVEN = "# problem: an object of your class; params: its parameters by name, tensors with requires_grad"


def recipe(estimator: str, num_samples: int, learns: bool) -> list[str]:
    """What is given, an import, and three lines.

    An estimator that learns is fitted as it was for measuring, and learns on from each step.
    """
    made, call = f'estimator = make_estimator("{estimator}")', f"(problem, params, num_samples={num_samples})"
    if not learns:
        imports = "from estimators import make_estimator"
        step = f"loss = estimator.loss{call}  # every step"
    else:
        imports = "from estimators import IID, make_estimator, replicated"
        made += f".fit(problem, replicated(params, 1), {num_samples}, IID(0))"
        step = f"loss, estimator = estimator.step{call}  # every step"
    return [GIVEN, imports, f"{made}  # once", step, "loss.backward()"]
