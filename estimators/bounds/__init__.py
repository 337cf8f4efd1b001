"""Estimators of importance-weighted bounds on the evidence; importing this package registers them."""

from . import doubly_reparameterized, iwae, renyi, reweighted_wake_sleep, sticking_the_landing, vimco  # noqa: F401
