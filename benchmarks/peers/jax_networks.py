"""JAX on one core for the networks: jit of vmap of grad, in the best of several chunks and generators.

A scan goes over the chunks and merges their moments, so that nothing leaves JAX in between.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.peers.networks import Autoencoder, Policy, problem_of
from benchmarks.peers.torch_vmap import REPLICATES, fastest, sizes
from benchmarks.peers.work import NETWORKS, Block, Case, Moments

__all__ = ["blocks"]

Params = dict[str, Array]
Loss = Callable[[Params, Array], Array]
GENERATORS = ("threefry2x32", "unsafe_rbg")
FIRST = 64
"""The chunk of the first form; the others are tried in steps of four, since each takes a second to compile."""


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name not in NETWORKS:
        return {}
    problem: Any = problem_of(case)
    params = {name: jnp.asarray(value.numpy(), jnp.float32) for name, value in problem.initial_params().items()}
    loss, draw = _policy(problem) if case.estimator == "score-function" else _autoencoder(problem)
    tried = [size for size in sizes(sum(value.size for value in params.values())) if size.bit_length() % 2]
    noise = partial(draw, params, case.num_samples)
    made = {choice: _block(params, loss, noise, *choice) for choice in itertools.product(tried, GENERATORS)}
    return {"JAX": made[FIRST, GENERATORS[0]], "JAX, best layout": fastest(made.values())}


def _block(
    params: Params, loss: Loss, draw: Callable[[int, Array], Array], size: int, generator: str
) -> tuple[Block, int]:
    chunks = max(REPLICATES // size, 1)

    def merge(known: tuple[Array, Array, Array], key: Array) -> tuple[tuple[Array, Array, Array], None]:
        index, mean, squares = known
        gradients = jax.vmap(jax.grad(loss), (None, 0))(params, draw(size, key))
        rows = jnp.concatenate([gradients[name].reshape(size, -1) for name in params], 1)
        own = rows.mean(0)
        shift = own - mean
        squares += ((rows - own) ** 2).sum(0) + shift**2 * (size * index / (index + 1))
        return (index + 1, mean + shift / (index + 1), squares), None

    @jax.jit
    def moments(key: Array) -> tuple[Array, Array]:
        zeros = jnp.zeros(sum(value.size for value in params.values()))
        (_, mean, squares), _ = jax.lax.scan(merge, (0.0, zeros, zeros), jax.random.split(key, chunks))
        return mean, squares / (chunks * size - 1)

    keys = [jax.random.key(0, impl=generator)]

    def block() -> Moments:
        keys[0], key = jax.random.split(keys[0])
        mean, variance = moments(key)
        return Moments(chunks * size, np.asarray(mean, float), np.asarray(variance, float))

    block()  # compiles
    return block, chunks * size


def _layers(x: Array, params: Params, prefix: str) -> Array:
    names = [name.removesuffix("weight") for name in params if name.startswith(prefix) and name.endswith("weight")]
    for name in sorted(names):
        x = x @ params[f"{name}weight"].T + params[f"{name}bias"]
        x = x if name == max(names) else jax.nn.relu(x)
    return x


def _policy(problem: Policy) -> tuple[Loss, Callable[[Params, int, int, Array], Array]]:
    state, losses = (jnp.asarray(value.numpy(), jnp.float32) for value in (problem.state[0], problem.losses))

    def loss(params: Params, actions: Array) -> Array:
        return (losses[actions] * jax.nn.log_softmax(_layers(state, params, "policy."))[actions]).mean()

    def draw(params: Params, samples: int, size: int, key: Array) -> Array:
        return jax.random.categorical(key, _layers(state, params, "policy."), shape=(size, samples))

    return loss, draw


def _autoencoder(problem: Autoencoder) -> tuple[Loss, Callable[[Params, int, int, Array], Array]]:
    images = jnp.asarray(problem.observation.numpy(), jnp.float32)

    def loss(params: Params, noise: Array) -> Array:
        mean, log_scale = jnp.split(_layers(images, params, "encoder."), 2, -1)
        z = mean + jnp.exp(log_scale) * noise
        logits = _layers(z, params, "decoder.")
        log_joint = (images * logits - jax.nn.softplus(logits)).sum(-1) - (z**2).sum(-1) / 2
        log_q = -(((z - mean) / jnp.exp(log_scale)) ** 2).sum(-1) / 2 - log_scale.sum(-1)
        return (log_q - log_joint).sum() / len(noise)

    def draw(params: Params, samples: int, size: int, key: Array) -> Array:
        return jax.random.normal(key, (size, samples, len(images), problem.latent))

    return loss, draw
