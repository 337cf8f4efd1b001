"""A queue that is simulated in plain Python."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Exponential

from estimators import Params, Program, register_problem
from experiments.problems.options import check_options

__all__ = ["Simulator"]


@final
@register_problem("simulator")
@dataclass(frozen=True)
class Simulator(Program):
    r"""A simulator that no derivative goes through: the waiting times of the first customers of a queue.

    Services and the times between arrivals are exponential, of rates $\mu$ and $\lambda$, one server, first come, first
    served: who comes after a customer who has waited W waits $\max(W + \mathrm{service} - \mathrm{gap}, 0)$. The cost
    is the mean waiting time of `customers` that find others before them, and `price` $\cdot\, \mu$. It is called sample
    by sample (`mapped = False`). Exact by the Markov chain of how many are there when a customer arrives.
    Kleinrock 1975, ch. 3; Glynn 1990.
    """

    customers: int = 5
    price: float = 0.5
    differentiable: ClassVar[bool] = False
    mapped: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self, customers=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:customers=2"]

    def initial_params(self) -> Params:
        return {name: torch.zeros((), dtype=torch.float64) for name in ("log_arrival_rate", "log_service_rate")}

    def run(self, params: Any, sample: Callable[[str, Distribution], Any]) -> Any:
        service_rate, arrival_rate = params["log_service_rate"].exp(), params["log_arrival_rate"].exp()
        yield self.price * service_rate
        wait = 0.0
        for customer in range(self.customers):
            service = float(sample(f"service{customer}", Exponential(service_rate)))
            gap = float(sample(f"gap{customer}", Exponential(arrival_rate)))
            wait = max(wait + service - gap, 0.0)
            yield wait / self.customers

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        service_rate, arrival_rate = params["log_service_rate"].exp(), params["log_arrival_rate"].exp()
        there = torch.arange(self.customers + 1, dtype=service_rate.dtype, device=service_rate.device)
        # Who finds n others makes n + 1. The next arrival finds m of them, after n + 1 − m services before it and, if
        # m > 0, none more.
        leaves = (service_rate / (service_rate + arrival_rate))[:, None, None]
        services = there[:, None] + 1 - there
        moves = leaves ** services.clamp(min=0) * torch.where(there > 0, 1 - leaves, 1) * (services >= 0)
        found = (there == 0).to(service_rate).expand(len(service_rate), 1, -1)
        waiting = torch.zeros_like(service_rate)
        for _ in range(self.customers):
            found = found @ moves
            waiting = waiting + (found @ there).squeeze(1) / service_rate
        return waiting / self.customers + self.price * service_rate
