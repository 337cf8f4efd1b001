"""How many times faster than each of the others gradmark has to be, its share of the limit, and its memory."""

__all__ = ["MEMORY", "TARGETS"]

LARGE: dict[str, float] = {"plain loop": 4, "Pyro": 15, "JAX, best layout": 1.5, "generator alone": 0.8}
TARGETS: dict[str, dict[str, float]] = {
    "A pathwise": {"plain loop": 150, "Pyro": 1000, "JAX, best layout": 2, "generator alone": 0.8},
    "A leave-one-out": {"plain loop": 250, "Pyro": 1000, "JAX, best layout": 2, "generator alone": 0.75},
    "B pathwise": LARGE,
    "B leave-one-out": LARGE | {"plain loop": 6},
    "C pathwise": LARGE,
    "C leave-one-out": LARGE | {"plain loop": 6},
    "D": {"plain loop": 20, "Pyro": 70, "JAX, best layout": 1.1, "generator alone": 0.8},
    "E": {"plain loop": 11, "Pyro": 60, "JAX, best layout": 4, "generator alone": 0.5},
    "F": {"plain loop": 2.5, "Pyro": 6, "JAX, best layout": 0.9},
    "G": {"plain loop": 10, "plain loop, running moments": 6},
    "H": {"plain loop": 2.5, "plain loop, running moments": 2},
    "I": {"plain loop": 3, "plain loop, running moments": 2},
    "J": {"plain loop": 1.3, "plain loop, running moments": 1.1},
    "K": {"Pyro, TraceGraph_ELBO": 100, "Storchastic": 100},
}
MEMORY = {"J": 3.0}
"""The most gigabytes of a process that measures."""
