"""The lines of Python that use an estimator in a training loop."""

from pathlib import Path

from estimators.interface import Problem
from estimators.interface.specs import canonical
from estimators.registry import components, source_file

__all__ = ["chosen", "given", "on", "recipe"]


def given(problem: Problem) -> str:
    """What the lines take for granted: the problem, as its user wrote it, and its parameters."""
    return f"# problem: {_made(problem)}; params: its parameters by name, tensors with requires_grad"


def _made(problem: Problem) -> str:
    cls = type(problem)
    if problem.made_by:
        return problem.made_by
    if components("problem").get(problem.name) is not cls:
        return f"an object of your class {cls.__name__}"
    shipped = cls.__module__.partition(".")[0] == "experiments"
    file = "" if shipped else source_file(cls)
    return f'make_problem("{canonical(problem)}")' + (f" of {Path(file).name}" if file else "")


def recipe(
    problem: Problem, estimator: str, num_samples: int, learns: bool, own: str | None = None, batch: int = 0
) -> list[str]:
    """What is given, an import, and three lines; `own` makes the estimator where its spec does not.

    An estimator that learns is fitted as it was for measuring, and learns on from each step.
    """
    made = "estimator = " + (f'make_estimator("{estimator}")' if own is None else own)
    names, call = ["make_estimator"] if own is None else [], f"({on(batch)}, params, num_samples={num_samples})"
    if not learns:
        step = f"loss = estimator.loss{call}  # every step"
    else:
        names = ["IID", *names, "replicated"]
        made += f".fit(problem, replicated(params, 1), {num_samples}, IID(0))"
        step = f"loss, estimator = estimator.step{call}  # every step"
    imports = [f"from estimators import {', '.join(names)}"] if names else []
    imports = ["import torch", *imports] if batch else imports
    return [given(problem), *imports, f"{made}  # once", *chosen(batch), step, "loss.backward()"]


def on(batch: int) -> str:
    """The name of what a step is taken on: the problem, or its mini-batch."""
    return "part" if batch else "problem"


def chosen(batch: int) -> list[str]:
    """The line that chooses the mini-batch of a step, if there is one."""
    draw = f"torch.randperm(problem.num_data)[:{batch}].unsqueeze(0)"
    return [f"part = problem.batch({draw})  # every step"] if batch else []
