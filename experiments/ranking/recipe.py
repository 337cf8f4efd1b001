"""The lines of Python that train with an estimator."""

from pathlib import Path

from estimators.interface import Problem
from estimators.interface.specs import canonical
from estimators.registry import components, source_file

__all__ = ["file_of", "is_registered", "recipe"]

RATE = 1e-3


def recipe(
    problem: Problem,
    estimator: str,
    num_samples: int,
    *,
    fitted: bool = False,
    learns: bool = False,
    own: str | None = None,
    batch: int = 0,
    learning_rate: float = RATE,
) -> list[str]:
    """A program; `own` makes the estimator where its spec does not.

    An estimator that was `fitted` is so here, and what `learns` goes on learning from each step.
    """
    made = f'make_estimator("{estimator}")' if own is None else own
    names = ["make_estimator"] if own is None else []
    if fitted:
        names = ["IID", *names]
        made += f".fit(problem, replicated(params, 1), {num_samples}, IID(0))"
    imports, lines = _given(problem)
    names += ["make_problem"] if lines[0].startswith("problem = make_problem") else []
    names += ["replicated"] if fitted else []
    part = [f"    part = problem.batch(torch.randperm(problem.num_data)[:{batch}].unsqueeze(0))"] if batch else []
    call = f"({'part' if batch else 'problem'}, params, num_samples={num_samples})"
    step = f"loss, estimator = estimator.step{call}" if fitted or learns else f"loss = estimator.loss{call}"
    return [
        "import torch",
        *imports,
        *([f"from estimators import {', '.join(names)}"] if names else []),
        *lines,
        f"estimator = {made}",
        f"optimiser = torch.optim.Adam(params.values(), lr={learning_rate:g})",
        "for _ in range(1000):",
        *part,
        f"    {step}",
        "    optimiser.zero_grad()",
        "    loss.backward()",
        "    optimiser.step()",
    ]


def _given(problem: Problem) -> tuple[list[str], list[str]]:
    """Imports, and lines that make the problem and its parameters; in words where they cannot be said in Python."""
    cls, file = type(problem), file_of(problem)
    if problem.made_by or problem.begins or not is_registered(problem):
        return [], [f"# problem: {_made(problem)}; params: its parameters by name, tensors with requires_grad"]
    plain = file and canonical(problem) == problem.name
    made = f"{cls.__name__}()" if plain else f'make_problem("{canonical(problem)}")'
    imported = f"from {Path(file).stem} import {cls.__name__}" if plain else f"import {Path(file).stem}"
    lines = [f'problem = {made}.to("cpu", torch.float32)', f"params = {_params(problem)}"]
    return [imported] if file else [], lines


def _params(problem: Problem) -> str:
    """The parameters, those of modules in place."""
    modules, named = problem.module_params(), "problem.initial_params().items()"
    if modules and set(modules) == set(problem.initial_params()):
        return "problem.module_params()"
    every = f"{{name: value.float().requires_grad_() for name, value in {named}}}"
    return f"{every} | problem.module_params()" if modules else every


def _made(problem: Problem) -> str:
    if problem.made_by:
        return problem.made_by
    if not is_registered(problem):
        return f"an object of your class {type(problem).__name__}"
    file = file_of(problem)
    return f'make_problem("{canonical(problem)}")' + (f" of {file}" if file else "")


def is_registered(problem: Problem) -> bool:
    """Whether its name stands for its class, so that a spec makes it."""
    return components("problem").get(problem.name) is type(problem)


def file_of(problem: Problem) -> str:
    """The name of the file that a problem was written in; '' where it is shipped, or in no file."""
    cls = type(problem)
    shipped = cls.__module__.partition(".")[0] == "experiments"
    return "" if shipped else Path(source_file(cls)).name
