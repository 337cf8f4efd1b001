"""JAX on one core: jit of vmap of grad, and the fastest of several layouts.

The layouts: a key for each gradient, or the noise of all of them in one call, before or behind the axis of replicates;
each with JAX's own generator (threefry) and with the faster one of XLA (rbg), and in blocks of two sizes.
"""

import itertools
import math
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.peers.models import model_of
from benchmarks.peers.work import NETWORKS, PROGRAMS, Block, Case, Moments
from estimators.registry import make_problem

__all__ = ["blocks"]

Params = dict[str, Array]
Loss = Callable[[Params, Array], Array]
ELEMENTS = (2**18, 2**19)
GENERATORS = ("threefry2x32", "unsafe_rbg")


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name in NETWORKS | PROGRAMS:
        return {}
    # A Gamma variate is drawn and differentiated by one function of the key: it has no noise to lay out.
    layouts = [_one_key_each] if case.name == "E" else [_one_key_each, _all_at_once, _replicates_first]
    plain, *others = (_block(case, *choice) for choice in itertools.product(layouts, GENERATORS, ELEMENTS))
    return {"JAX": plain, "JAX, best layout": min([plain, *others], key=_seconds)}


def _seconds(made: tuple[Block, int]) -> float:
    """The least of a few calls, for a gradient."""
    block, replicates = made
    found = []
    for _ in range(5):
        began = time.perf_counter()
        block()
        found.append(time.perf_counter() - began)
    return min(found) / replicates


def _block(case: Case, layout: Callable, generator: str, most: int) -> tuple[Block, int]:
    params = {name: jnp.asarray(value.detach().numpy()) for name, value in model_of(case).params.items()}
    elements = case.num_samples * int(np.prod(_event(case)))
    replicates = max(most // elements, 1)
    moments = jax.jit(layout(case, params, replicates))
    keys = [jax.random.key(0, impl=generator)]

    def block() -> Moments:
        keys[0], key = jax.random.split(keys[0])
        mean, variance = moments(key)
        return Moments(replicates, np.asarray(mean, float), np.asarray(variance, float))

    block()  # compiles
    return block, replicates


def _event(case: Case) -> tuple[int, ...]:
    return tuple(make_problem(case.problem).initial_distribution.event_shape)


def _moments(gradients: Params, order: Params) -> tuple[Array, Array]:
    """JAX sorts the names of a dictionary; entries are in the order of the parameters."""
    flat = jnp.concatenate([gradients[name].reshape(len(gradients[name]), -1) for name in order], axis=1)
    return flat.mean(0), flat.var(0, ddof=1)


def _one_key_each(case: Case, params: Params, replicates: int) -> Callable[[Array], tuple[Array, Array]]:
    """The form that one writes first: a loss of parameters and key, its gradient mapped over keys."""

    def loss(params: Params, key: Array) -> Array:
        return _loss(case)(params, _noise(case, params, key, (case.num_samples,)))

    def moments(key: Array) -> tuple[Array, Array]:
        return _moments(jax.vmap(jax.grad(loss), (None, 0))(params, jax.random.split(key, replicates)), params)

    return moments


def _all_at_once(case: Case, params: Params, replicates: int) -> Callable[[Array], tuple[Array, Array]]:
    """Noise `[S, R, *E]` in one call."""

    def moments(key: Array) -> tuple[Array, Array]:
        noise = _noise(case, params, key, (case.num_samples, replicates))
        return _moments(jax.vmap(jax.grad(_loss(case)), (None, 1))(params, noise), params)

    return moments


def _replicates_first(case: Case, params: Params, replicates: int) -> Callable[[Array], tuple[Array, Array]]:
    """Noise `[R, S, *E]` in one call."""

    def moments(key: Array) -> tuple[Array, Array]:
        noise = _noise(case, params, key, (replicates, case.num_samples))
        return _moments(jax.vmap(jax.grad(_loss(case)), (None, 0))(params, noise), params)

    return moments


def _noise(case: Case, params: Params, key: Array, shape: tuple[int, ...]) -> Array:
    """Standard normals, uniforms, or for Gamma a key of each sample, whose derivative is JAX's own."""
    name = case.name[0]
    shape = (*shape, *_event(case))
    if name == "D":
        return jax.random.uniform(key, shape)
    if name == "E":
        return key
    return jax.random.normal(key, shape)


def _loss(case: Case) -> Loss:
    name = case.name[0]
    if name == "D":
        return _bernoulli
    if name == "E":
        return lambda params, key: _gamma(params, key, case.num_samples)
    if name == "F":
        return lambda params, noise: _iwae(params, noise, jnp.asarray(_images(case)))
    return _pathwise if case.estimator == "pathwise" else _leave_one_out


def _pathwise(params: Params, noise: Array) -> Array:
    x = params["loc"] + jnp.exp(params["log_scale"]) * noise
    return (x**2).sum(-1).mean()


def _leave_one_out(params: Params, noise: Array) -> Array:
    x = jax.lax.stop_gradient(params["loc"] + jnp.exp(params["log_scale"]) * noise)
    log_prob = jax.scipy.stats.norm.logpdf(x, params["loc"], jnp.exp(params["log_scale"])).sum(-1)
    return _controlled((x**2).sum(-1), log_prob)


def _bernoulli(params: Params, uniform: Array) -> Array:
    x = (uniform < jax.nn.sigmoid(jax.lax.stop_gradient(params["logits"]))).astype(jnp.float32)
    log_prob = (x * params["logits"] - jax.nn.softplus(params["logits"])).sum(-1)
    return _controlled(((x - 0.499) ** 2).mean(-1), log_prob)


def _controlled(cost: Array, log_prob: Array) -> Array:
    baseline = (cost.sum() - cost) / (len(cost) - 1)
    return ((cost - baseline) * log_prob).mean()


def _gamma(params: Params, key: Array, samples: int) -> Array:
    concentration = jnp.broadcast_to(
        jnp.exp(params["log_concentration"]), (samples, *params["log_concentration"].shape)
    )
    x = jax.random.gamma(key, concentration) / jnp.exp(params["log_rate"])
    return (x**2).sum(-1).mean()


def _iwae(params: Params, noise: Array, images: Array) -> Array:
    def layer(x: Array, name: str) -> Array:
        return x @ params[f"{name}_weight"].T + params[f"{name}_bias"]

    mean, log_scale = jnp.split(layer(jnp.tanh(layer(images, "encoder")), "posterior"), 2, -1)
    z = mean + jnp.exp(log_scale) * noise
    logits = layer(jnp.tanh(layer(z, "decoder")), "pixel")
    log_joint = (images * logits - jax.nn.softplus(logits)).sum(-1) - (z**2).sum(-1) / 2
    log_q = -(noise**2).sum(-1) / 2 - log_scale.sum(-1)
    return -(jax.scipy.special.logsumexp(log_joint - log_q, 0) - math.log(len(noise))).sum()


def _images(case: Case) -> np.ndarray:
    return make_problem(case.problem).observation.numpy().astype(np.float32)  # type: ignore[attr-defined]
