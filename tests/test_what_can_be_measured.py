"""What `measure` refuses, and says why."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from measurements import QUADRATIC, Custom, numbers, work
from torch.distributions import Distribution, Normal

from estimators.interface import Params, Unsupported
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments import measure


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "cuda:99"}, "device 'cuda:99' is not available"),
        ({"device": "abacus"}, "device 'abacus'"),
        ({"dtype": "float16"}, "float32 or float64"),
        ({"device": 1.5}, "device '1.5'"),
        ({"device": "meta"}, "device 'meta' is not available"),
        ({"dtype": "double"}, "float32 or float64"),
        ({"dtype": torch.int64}, "float32 or float64, not 'int64'"),
        ({"replicates": 0}, "replicates"),
        ({"max_replicates": 0}, "max_replicates"),
        ({"rtol": 0}, "rtol"),
        ({"max_seconds": -1}, "max_seconds"),
    ],
)
def test_what_cannot_be_measured_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        measure(make_problem(QUADRATIC), make_estimator("pathwise"), **options)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_samples": 1.5}, "num_samples must be a whole number, not 1.5"),
        ({"num_samples": "3"}, "num_samples must be a whole number, not '3'"),
        ({"replicates": 1e5}, "replicates must be a whole number, not 100000.0"),
        ({"max_replicates": 1e6}, "max_replicates must be a whole number"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"problem": QUADRATIC}, r"make_problem\(spec\)"),
        ({"estimator": "pathwise"}, r"make_estimator\(spec\)"),
        ({"estimator": Pathwise}, r"make_estimator\(spec\)"),
    ],
)
def test_types_that_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said) as refused:
        sound: dict[str, Any] = {"problem": make_problem(QUADRATIC), "estimator": Pathwise(), "replicates": 64}
        measure(**(sound | options))
    assert str(refused.value).isprintable()


def test_types_that_do_no_harm() -> None:
    def found(**options: Any) -> dict[str, Any]:
        return numbers(measure(make_problem(QUADRATIC), Pathwise(), **options))

    wanted = found(replicates=1024, num_samples=1, seed=3, dtype="float64", device="cpu")
    whole: dict[str, Any] = {"num_samples": np.int64(1), "seed": torch.tensor(3), "replicates": np.int32(1024)}
    assert found(**whole, dtype=torch.float64, device=torch.device("cpu")) == wanted
    assert found(num_samples=True, seed=np.uint8(3), dtype="float64", replicates=1024) == wanted


def test_unsupported_pairs_are_refused_with_their_reason() -> None:
    with pytest.raises(Unsupported, match="not differentiable"):
        measure(make_problem("bernoulli-toy"), make_estimator("pathwise"))
    with pytest.raises(Unsupported, match="num_samples"):
        measure(make_problem(QUADRATIC), make_estimator("pathwise"), num_samples=0)


def test_parameters_that_the_distribution_refuses_are_named() -> None:
    spec = "gaussian-quadratic:dim=1,log_scale=-1000"
    with pytest.raises(ValueError, match=f"{spec} are refused by its distribution") as refused:
        work("pathwise", spec)
    assert str(refused.value).isprintable()


def test_a_distribution_with_too_many_batch_dimensions_is_explained() -> None:
    @dataclass(frozen=True)
    class Unwrapped(Custom):
        def distribution(self, params: Params) -> Distribution:
            return Normal(params["loc"], 1.0)

    with pytest.raises(ValueError, match="Independent"):
        work("score-function", Unwrapped())
