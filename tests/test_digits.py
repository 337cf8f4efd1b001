"""The models of digits: their data, distributions and exact gradients, and the points that training leads to."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from estimators.interface import LatentVariableProblem, Params, Unsupported, replicated
from estimators.noise import IID
from estimators.registry import components, make_estimator, make_problem
from estimators.sampling import families
from experiments.machine.caching import cache_folder
from experiments.problems import digits_vae
from experiments.problems import trained_start as trained
from experiments.problems.digits import EVALUATION_SAMPLES, PIXELS, Digits
from experiments.problems.digits_sbn import DeepSBN

VAE, SBN, STACK = (
    "digits-vae:hidden=3,latent=2,points=3",
    "digits-sbn:latent=3,points=3",
    "digits-sbn:latent=2,layers=2,points=3",
)


def made(spec: str) -> Digits:
    found = make_problem(spec)
    assert isinstance(found, Digits)
    return found


def start(problem: Digits, replicates: int = 1) -> Params:
    return replicated(problem.initial_params(), replicates)


@pytest.mark.parametrize("spec", [VAE, SBN])
def test_the_images_are_binary_and_held_out_for_good(spec: str) -> None:
    problem = made(spec)
    assert problem.training.shape == (1437, PIXELS) and problem.held_out.shape == (360, PIXELS)
    together = torch.cat([problem.training, problem.held_out])
    assert set(together.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(problem.observation, problem.training[:3])
    assert problem.num_data == 1437
    assert torch.equal(together, torch.cat([made("digits-sbn").training, made("digits-sbn").held_out]))


def by_hand(problem: Digits, z: Tensor) -> tuple[Tensor, Tensor]:
    """log p(x, z) and log q(z|x) `[S, N]` as torch's own modules and distributions give them."""
    point, x = problem.initial_params(), problem.observation

    def layer(inputs: Tensor, name: str) -> Tensor:
        return torch.nn.functional.linear(inputs, point[f"{name}_weight"], point[f"{name}_bias"])

    def bits(logits: Tensor, value: Tensor) -> Tensor:
        return Bernoulli(logits=logits).log_prob(value).sum(-1)

    if problem.name == "digits-vae":
        mean, log_scale = layer(layer(x, "encoder").tanh(), "posterior").chunk(2, -1)
        pixels = layer(layer(z, "decoder").tanh(), "pixel")
        prior = Normal(0.0, torch.ones(2, dtype=torch.float64)).log_prob(z).sum(-1)
        return prior + bits(pixels, x.expand_as(pixels)), Normal(mean, log_scale.exp()).log_prob(z).sum(-1)
    size = len(point["prior_logits"])
    first, top = z[..., :size], z[..., -size:]
    joint = bits(point["prior_logits"], top) + bits(layer(first, "decoder"), x.expand(len(z), -1, -1))
    q = bits(layer(x, "encoder"), first)
    if z.shape[-1] == 2 * size:
        joint, q = joint + bits(layer(top, "decoder2"), first), q + bits(layer(first, "encoder2"), top)
    return joint, q


@pytest.mark.parametrize("spec", [VAE, SBN, STACK])
def test_densities_are_those_of_torch(spec: str) -> None:
    problem = made(spec)
    params = start(problem, 2)
    z = problem.distribution(params).sample((5,))
    for row in range(2):
        joint, q = by_hand(problem, z[:, row])
        torch.testing.assert_close(problem.log_joint(z, params)[:, row], joint)
        torch.testing.assert_close(problem.log_q(z, params)[:, row], q)


@pytest.mark.parametrize("spec", [SBN, STACK])
def test_expected_cost_is_the_sum_over_states_by_hand(spec: str) -> None:
    problem = made(spec)
    bits = problem.initial_distribution.event_shape[-1]
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)
    joint, q = by_hand(problem, states[:, None].expand(-1, 3, -1))
    torch.testing.assert_close(q.exp().sum(0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(problem.exact_cost(start(problem)), (q.exp() * (q - joint)).sum().reshape(1))


@pytest.mark.parametrize("spec", [VAE, f"{VAE},steps=20"])
def test_the_quadrature_has_converged(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = made(spec)
    coarse = problem.exact_gradient(start(problem))
    monkeypatch.setattr(digits_vae, "NODES", 201)
    fine = problem.exact_gradient(start(problem))
    assert coarse is not None and fine is not None
    for name, value in coarse.items():
        torch.testing.assert_close(value, fine[name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", ["digits-vae:latent=3", "digits-sbn:latent=11", "digits-sbn:latent=6,layers=2"])
def test_what_is_too_large_has_no_exact_gradient(spec: str) -> None:
    assert made(spec).exact_gradient(start(made(spec))) is None


@pytest.mark.parametrize("spec", ["digits-vae:hidden=3,latent=1", SBN, STACK])
def test_evaluation_is_the_expected_cost_of_an_image(spec: str) -> None:
    """In standard errors, with what is known exactly for models of this size."""
    problem = made(spec)
    for images in ("training", "held_out"):
        object.__setattr__(problem, images, getattr(problem, images)[:100])
    params = start(problem, 3)
    found = problem.evaluate(params, IID(0, dtype=torch.float64))
    for name, images in (("objective", problem.training), ("test_objective", problem.held_out)):
        model = problem.conditioned(images, 1.0)
        q = model.distribution(params)
        z = families.values(q, families.noise(q, 200, IID(1, dtype=torch.float64)))
        error = model.cost(z, params).std(0) / len(images) / EVALUATION_SAMPLES**0.5
        exact = model.exact_cost(params)
        assert exact is not None
        assert ((found[name] - exact / len(images)).abs() < 5 * error).all()


def test_two_layers_are_a_program_whose_variables_depend_on_each_other() -> None:
    problem = made(STACK)
    assert isinstance(problem, DeepSBN) and problem.layout.names == ["h", "h2"]
    supported = {
        name for name, cls in components("estimator").items() if not make_estimator(name).unsupported(problem, 4)
    }
    assert supported >= {"score-function", "vimco", "ovis", "reweighted-wake-sleep", "exact", "per-data-point"}
    refused = {"pathwise", "iwae", "dreg", "disarm", "arms", "gumbel-softmax", "rebar", "unordered-set"}
    assert not supported & refused
    for one in ("disarm", "arms", "rao-blackwellized"):
        make_estimator(f"per-variable:discrete={one}").require_support(problem, 4)
    with pytest.raises(Unsupported, match="Joint"):
        make_estimator("disarm").require_support(problem, 4)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    trained.trained_params.cache_clear()
    yield tmp_path / "checkpoints"
    trained.trained_params.cache_clear()


TRAINED = [
    "digits-vae:hidden=8,latent=2,steps=30",
    "digits-sbn:latent=4,steps=30",
    "digits-sbn:latent=2,layers=2,steps=30",
]


@pytest.mark.parametrize("spec", TRAINED)
def test_training_is_repeatable_and_kept(spec: str, own_cache) -> None:
    problem = made(spec)
    first = problem.initial_params()
    assert {name: value.shape for name, value in first.items()} == {
        name: value.shape for name, value in replace(problem, steps=0).initial_params().items()
    }
    assert all(value.dtype == torch.float64 for value in first.values())
    (file,) = own_cache.iterdir()
    assert set(torch.load(file, weights_only=True)) == set(first)
    for spoil in (lambda: None, lambda: file.write_bytes(b"damaged"), lambda: file.write_bytes(b""), file.unlink):
        spoil()
        trained.trained_params.cache_clear()
        again = problem.initial_params()
        assert all(torch.equal(again[name], value) for name, value in first.items())
        assert [one.name for one in own_cache.iterdir()] == [file.name]
    start_, end = (
        replace(problem, steps=steps).evaluate(start(replace(problem, steps=steps)), IID(0, dtype=torch.float64))
        for steps in (0, 30)
    )
    assert end["objective"] < start_["objective"] - 1 and end["test_objective"] < start_["test_objective"] - 1


def test_a_checkpoint_is_read_and_not_made_again(own_cache, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = made("digits-sbn:latent=2,steps=3")
    first = problem.initial_params()
    trained.trained_params.cache_clear()
    monkeypatch.setattr(trained, "_trained", lambda *_: pytest.fail("trained again"))
    assert all(
        torch.equal(value, first[name])
        for name, value in made("digits-sbn:latent=2,points=5,steps=3").initial_params().items()
    )
    for other in ("digits-sbn:latent=2,steps=4", "digits-sbn:latent=3,steps=3"):
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            made(other).initial_params()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path / "file"))
    trained.trained_params.cache_clear()
    assert made("digits-sbn:latent=2,steps=2").initial_params()["prior_logits"].shape == (2,)
    assert cache_folder() == tmp_path / "file"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("digits-vae:points=0", "points must be at least 1"),
        ("digits-vae:points=1438", "points must be at most 1437"),
        ("digits-vae:steps=-1", "steps must be at least 0"),
        ("digits-vae:hidden=0", "hidden must be at least 1"),
        ("digits-sbn:latent=0", "latent must be at least 1"),
        ("digits-sbn:layers=0", "layers must be at least 1"),
    ],
)
def test_options_that_make_no_model_are_refused(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_problem(spec)


def test_a_model_is_a_latent_variable_problem_with_its_encoder_named() -> None:
    for spec in (VAE, SBN, STACK):
        problem = made(spec)
        assert isinstance(problem, LatentVariableProblem)
        params = {name: value.requires_grad_() for name, value in start(problem).items()}
        (density,) = problem.log_q(problem.distribution(params).sample((1,)), params).sum((1, 2))
        slopes = torch.autograd.grad(density, list(params.values()), allow_unused=True)
        used = {name for name, slope in zip(params, slopes, strict=True) if slope is not None}
        assert used == set(problem.encoder_names)
