"""A function of one's own from rewards to advantages."""

import json
import sys
from pathlib import Path

import pytest
import torch
from groups import SMALL, exact, groups

from estimators import IID, Unsupported, make_estimator, make_problem, replicated
from estimators.registry.named import attribute
from estimators.registry.plugins import source_digest

RECIPES = '''
import numpy as np
import torch


def dr_grpo(rewards):
    return rewards - rewards.mean()


def rloo(rewards):
    rewards -= (rewards.sum() - rewards) / (len(rewards) - 1)  # written into
    return rewards


def opo(rewards, lengths):
    return rewards - (lengths * rewards).sum() / lengths.sum()


def looped(scores):
    """What cannot be mapped."""
    total = sum(float(score) for score in scores)
    return torch.tensor([float(score) - (total - float(score)) / (len(scores) - 1) for score in scores])


def library(token_level_rewards, response_mask, index, epsilon=1e-6, config=None, **kwargs):
    """With the names and shapes that training libraries have."""
    scores = token_level_rewards.sum(-1)
    for group in np.unique(index):
        scores[index == group] = scores[index == group] - scores[index == group].mean()
    return scores.unsqueeze(-1) * response_mask, scores


def fails(rewards):
    return rewards / torch.ones(7)


def returns_nothing(rewards):
    pass


def asks(rewards, values):
    return rewards


number = 3
'''


@pytest.fixture
def recipes(tmp_path: Path) -> str:
    path = tmp_path / "recipes.py"
    path.write_text(RECIPES)
    return str(path)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a module of its own."""
    from estimators.control_variates import advantages

    advantages._found.cache_clear()
    monkeypatch.delitem(sys.modules, "recipes", raising=False)


@pytest.mark.parametrize(
    ("function", "ours"),
    [
        ("dr_grpo", "group-mean"),
        ("rloo", "leave-one-out"),
        ("looped", "leave-one-out"),
        ("opo", "length-weighted"),
        ("library", "group-mean"),
    ],
)
def test_a_function_does_what_ours_does(recipes: str, function: str, ours: str) -> None:
    own, known = (
        f"policy-gradient:credit=total,advantage=({one})" for one in (f"advantages:function={recipes}:{function}", ours)
    )
    rtol = 1e-6 if function == "looped" else 1e-10  # which makes a tensor of float32
    torch.testing.assert_close(groups(SMALL, 3).gradients(own), groups(SMALL, 3).gradients(known), rtol=rtol, atol=rtol)


def test_a_file_of_this_folder_goes_before_one_of_its_name_from_elsewhere(tmp_path, monkeypatch):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "like_others.py").write_text(f"def name(rewards):\n    return {folder!r}\n")
        monkeypatch.chdir(tmp_path / folder)
        assert attribute("like_others", "name")(0) == folder
    (tmp_path / "two" / "json.py").write_text("mine = True\n")
    assert attribute("json", "mine") and sys.modules["json"] is json


def test_it_serves_the_score_function_too(recipes: str) -> None:
    spec = f"score-function:control_variate=(advantages:function={recipes}:rloo)"
    torch.testing.assert_close(groups(SMALL, 3).mean(spec), exact(), rtol=1e-10, atol=1e-13)
    bandit, params = make_problem("bandit-policy"), replicated(make_problem("bandit-policy").initial_params(), 5)
    for function in ("rloo", "looped"):
        own = make_estimator(f"score-function:control_variate=(advantages:function={recipes}:{function})")
        known = make_estimator("score-function:control_variate=leave-one-out")
        noise = known.draw(bandit, params, 4, IID(0, dtype=torch.float64))
        one, other = (e.gradient(bandit, params, noise)["logits"] for e in (own, known))
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("dr_grop", "has no 'dr_grop'"),
        ("number", "is a int, which cannot be called"),
        ("asks", "asks for 'values'; what there is: rewards"),
    ],
)
def test_functions_that_cannot_be_asked_are_refused(recipes: str, function: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_estimator(f"policy-gradient:advantage=(advantages:function={recipes}:{function})")


def test_what_is_no_function_is_refused() -> None:
    for function, said in [
        ("recipes", "must be module:name"),
        ("no_such_module:f", "there is no module 'no_such_module'"),
    ]:
        with pytest.raises(ValueError, match=said):
            make_estimator(f"policy-gradient:advantage=(advantages:function={function})")
    with pytest.raises(Unsupported, match="write advantages:function=module:name"):
        make_estimator("policy-gradient:advantage=advantages").require_support(make_problem(SMALL), 2)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("fails", "RuntimeError: The size of tensor"),
        ("returns_nothing", r"must return advantages, a tensor \[2\] or \[2, 3\], and not NoneType"),
    ],
)
def test_functions_that_fail_are_told_in_one_line(recipes: str, function: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        groups(SMALL, 2).gradients(f"policy-gradient:advantage=(advantages:function={recipes}:{function})")
    assert "\n" not in str(error.value)


def test_results_of_another_version_of_the_function_are_others(recipes: str) -> None:
    made = make_estimator(f"policy-gradient:advantage=(advantages:function={recipes}:dr_grpo)")
    before = source_digest(made)
    Path(recipes).write_text(RECIPES + "\n")
    assert before and source_digest(made) != before
