# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""The policies of `token-policy`: the GRU against torch's own, and what is said of tokens."""

import itertools
import math

import pytest
import torch
from expectations import expected, scattered
from groups import exact, groups
from torch import Tensor

from estimators import IID, Penalty, make_problem, register_program, replicated
from estimators.programs import ProgramError
from estimators.programs.tokens import tokens
from estimators.sampling.families import drawn, noise

GRU = "token-policy:vocabulary=3,length=3,beta=0.3,policy=gru"


def log_policy(params: dict[str, Tensor], answer: tuple[int, ...]) -> float:
    """By torch's GRU cell."""
    hidden, vocabulary = params["hidden"].shape[1], params["out"].shape[0]
    cell = torch.nn.GRUCell(vocabulary, hidden, bias=False, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.copy_(params["input"])
        cell.weight_hh.copy_(params["hidden"])
        memory, total = torch.zeros(hidden).double(), 0.0
        for before, token in itertools.pairwise((0, *answer)):
            memory = cell(torch.eye(vocabulary).double()[before], memory)
            total += float((params["out"] @ memory).log_softmax(-1)[token])
    return total


def test_the_gru_against_every_answer() -> None:
    made = make_problem(GRU)
    params = scattered(made, 1)
    answers = [(0,), *((a, 0) for a in (1, 2)), *((a, b, c) for a in (1, 2) for b in (1, 2) for c in range(3))]
    total = certain = 0.0
    for answer in answers:
        log_p = log_policy({name: value[0] for name, value in params.items()}, answer)
        rewarded = answer[-1] == 0 and all(one != other for one, other in itertools.pairwise((0, *answer[:-1])))
        rewarded = rewarded or answer == (0,)
        reward = (len(answer) - 1) / 2 if rewarded else 0.0
        total += math.exp(log_p) * (0.3 * (log_p - log_policy(made.reference, answer)) - reward)
        certain += math.exp(log_p)
    assert certain == pytest.approx(1, rel=1e-12)
    assert float(expected(made, params)) == pytest.approx(total, rel=1e-11)


def test_groups_of_answers_of_a_gru_have_its_gradient() -> None:
    spec = "token-policy:vocabulary=2,length=2,beta=0.6,policy=gru"
    for estimator in ("score-function:control_variate=leave-one-out", "policy-gradient"):
        torch.testing.assert_close(groups(spec).mean(estimator), exact(spec), rtol=1e-10, atol=1e-13)


def test_tokens_that_count_and_their_energy() -> None:
    made = make_problem("token-policy")
    params = replicated(made.initial_params(), 50)
    q = made.distribution(params)
    x = drawn(q, noise(q, 4, IID(0, dtype=torch.float64))).x
    found = tokens(made, params, x)
    each = x.unflatten(-1, (5, 3)).movedim(2, 1)  # [S, V, R, 3]
    lengths = torch.where(each[..., 0].any(1), each[..., 0].argmax(1) + 1, 5)
    torch.testing.assert_close(found.counts.sum(1), lengths.double())
    p = params["policy"][0].softmax(-1)[0]
    torch.testing.assert_close(found.energy[:, 0], ((each[:, 0] - p) ** 2).sum(-1))
    assert (found.energy[found.counts == 0] == 0).all()


def test_a_penalty_and_a_count_that_are_none_are_refused() -> None:
    @register_program("penalty-first", logit=torch.tensor(0.3))
    def penalty_first(params, sample):
        yield Penalty(0.1, params["logit"])
        sample("x", torch.distributions.Bernoulli(logits=params["logit"]))

    @register_program("counts-two", logit=torch.tensor(0.3))
    def counts_two(params, sample):
        return sample("x", torch.distributions.Bernoulli(logits=params["logit"]), counts=torch.ones(2))

    for name, said in (
        ("penalty-first", "yield it after the first"),
        ("counts-two", 'whether "x" counts is one number'),
    ):
        with pytest.raises(ProgramError, match=said):
            assert make_problem(name).layout
