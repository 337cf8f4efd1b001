"""The lines of Python that use an estimator in a training loop."""

__all__ = ["recipe"]

GIVEN = "# problem: an object of your class; params: its parameters by name, tensors with requires_grad"


def recipe(estimator: str, num_samples: int, learns: bool, own: str | None = None) -> list[str]:
    """What is given, an import, and three lines; `own` makes the estimator where its spec does not.

    An estimator that learns is fitted as it was for measuring, and learns on from each step.
    """
    made = "estimator = " + (f'make_estimator("{estimator}")' if own is None else own)
    names, call = ["make_estimator"] if own is None else [], f"(problem, params, num_samples={num_samples})"
    if not learns:
        step = f"loss = estimator.loss{call}  # every step"
    else:
        names = ["IID", *names, "replicated"]
        made += f".fit(problem, replicated(params, 1), {num_samples}, IID(0))"
        step = f"loss, estimator = estimator.step{call}  # every step"
    imports = [f"from estimators import {', '.join(names)}"] if names else []
    return [GIVEN, *imports, f"{made}  # once", step, "loss.backward()"]
