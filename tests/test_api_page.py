"""The page of all that is imported in Python has it all, with a sentence each."""

import ast
import importlib.util
import inspect
import itertools
import textwrap

import pytest
from documentation import ROOT

import estimators
import experiments
from estimators import Estimator, LatentProgram, LatentVariableProblem, Penalty, Problem, ReplicatedModule
from experiments import Answer, Measurement

found = importlib.util.spec_from_file_location("api", ROOT / "docs" / "api.py")
assert found is not None and found.loader is not None
page = importlib.util.module_from_spec(found)
found.loader.exec_module(page)


def test_every_name_that_is_exported_is_there_once() -> None:
    told = [f"{package}.{name}" for package, names in page.SECTIONS.values() for name in names]
    exported = [f"{package.__name__}.{name}" for package in (estimators, experiments) for name in package.__all__]
    assert sorted(told) == sorted(exported)
    assert page.api().count(":::") == len(told)


def test_each_class_and_function_has_a_docstring() -> None:
    for package, names in page.SECTIONS.values():
        for name in names:
            exported = getattr(estimators if package == "estimators" else experiments, name)
            if inspect.isclass(exported) or inspect.isfunction(exported):
                assert inspect.getdoc(exported), name


MEMBERS = {
    Problem: "cost cost_depends_on_params differentiable sampled_only mapped distribution expected_cost initial_params "
    "module_params num_data batch to",
    LatentVariableProblem: "encoder posterior log_joint log_marginal",
    LatentProgram: "observation run",
    ReplicatedModule: "module prefix of_samples of_data of_batches module_params",
    Penalty: "beta log_ratio",
    Estimator: "claim draw surrogate fit update step loss",
    Measurement: "claim verdict reference total_variance scale mean_cosine detectable_bias replicates timing warnings",
    Answer: "ranking measurements table advice code",
}
"""What people ask for by its name: the page leaves out what has no docstring."""


def documented(cls: type) -> set[str]:
    """The members of a class that a docstring follows, or is in."""
    (body,) = [node.body for node in ast.parse(textwrap.dedent(inspect.getsource(cls))).body if hasattr(node, "body")]  # type: ignore
    found = {node.name for node in body if isinstance(node, ast.FunctionDef) and ast.get_docstring(node)}
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found.add(node.target.id)  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.__name__)
def test_each_member_that_matters_has_a_docstring(cls: type) -> None:
    assert not set(MEMBERS[cls].split()) - documented(cls)
