"""The parameters of a model and a guide: found by running them once, and given to them in every run."""

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import pyro
import torch
from pyro.nn.module import PyroModule
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn
from torch.distributions import constraints, transform_to
from torch.func import functional_call

from estimators.interface import Params
from estimators.programs.faults import ProgramError

__all__ = ["Parameters", "found_parameters"]


@final
@dataclass(frozen=True)
class Parameters:
    """The parameters of a model and a guide."""

    initial: Params = field(default_factory=dict)
    """Their values, unconstrained, in float64."""
    constraints: dict[str, Any] = field(default_factory=dict)
    """By the names that they have in Pyro: those of `pyro.param`."""
    modules: "Owners" = field(default_factory=lambda: Owners())
    """The modules that hold the others."""
    paths: dict[str, str] = field(default_factory=dict)
    """Where each of those stands in the modules, and its name."""

    def given_to(self, call: Callable[[], Any], params: Params) -> Any:
        """What a function returns that runs the model, the guide, or both, with these parameters."""
        some = next(iter(params.values()))
        buffers = {
            path: value.to(some.device, some.dtype if value.is_floating_point() else value.dtype)
            for path, value in self.modules.named_buffers()
        }
        weights = {path: params[name] for path, name in self.paths.items()}

        def within() -> Any:
            with _alone(some.dtype), Given(params, self.constraints):
                return call()

        return functional_call(self.modules, buffers | weights, (within,))


@final
class Owners(nn.ModuleList):
    """Holds modules while something is called."""

    def forward(self, call: Callable[[], Any]) -> Any:
        return call()


@contextmanager
def _alone(dtype: torch.dtype) -> Iterator[None]:
    """Pyro without its argument checks, with an empty store of parameters; what is made inside has the dtype."""
    before = torch.get_default_dtype()
    store = pyro.get_param_store()
    with warnings.catch_warnings(), pyro.validation_enabled(False), store.scope():
        warnings.filterwarnings("ignore", ".*was not registered in the param store")
        try:
            if dtype != before:
                torch.set_default_dtype(dtype)
            with pyro.settings.context(module_local_params=False):
                yield
        finally:
            if dtype != before:
                torch.set_default_dtype(before)


@final
class Given(Messenger):
    """Answers `pyro.param` with given parameters."""

    def __init__(self, params: Params, constraints: dict[str, Any]):
        super().__init__()
        self.params, self.constraints = params, constraints

    def _pyro_param(self, site: dict[str, Any]) -> None:
        name = site["name"]
        if name in self.constraints:
            site["value"] = transform_to(self.constraints[name])(self.params[_told(name)])
        elif len(site["args"]) > 1 and isinstance(site["args"][1], Tensor):
            site["value"] = site["args"][1]  # that of a module, which has been given its own


@final
class Finding(Messenger):
    """Notes the parameters that a run asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Tensor] = {}
        self.owners: dict[str, tuple[nn.Module, nn.Parameter]] = {}

    def _pyro_post_param(self, site: dict[str, Any]) -> None:
        name = site["name"]
        self.values[name] = site["value"].unconstrained().detach().double().clone()
        parameter = site["args"][1] if len(site["args"]) > 1 else None
        if isinstance(parameter, nn.Parameter) and (owner := _owner(parameter)) is not None:
            self.owners[name] = owner, parameter


def _owner(parameter: nn.Parameter) -> nn.Module | None:
    """The module whose parameter `pyro.param` is asked for: Pyro says so of its name alone, so that we look who asks.

    That is `pyro.module`, with the module as its argument, or the attribute of a PyroModule.
    """
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not pyro.param.__code__:
        frame = frame.f_back
    asks = frame and frame.f_back
    if asks is None or asks.f_code not in (pyro.module.__code__, PyroModule.__getattr__.__code__):
        return None
    module = asks.f_locals.get("nn_module", asks.f_locals.get("self"))
    return module if any(one is parameter for one in module.parameters()) else None


def found_parameters(call: Callable[[], Any]) -> Parameters:
    """The parameters that a function asks for that runs model and guide, at their values.

    ProgramError: there are none.
    """
    finding, store = Finding(), pyro.get_param_store()
    with torch.random.fork_rng(devices=[]), store.scope(store.get_state()), torch.no_grad():
        with pyro.settings.context(module_local_params=False), finding:
            call()
        limits = store.get_state()["constraints"]
    if not finding.values:
        raise ProgramError("model and guide have no parameters: write pyro.param, pyro.module or a PyroModule")
    modules = Owners({id(owner): owner for owner, _ in finding.owners.values()}.values())
    places = {id(parameter): _told(name) for name, (_, parameter) in finding.owners.items()}
    named = modules.named_parameters(remove_duplicate=False)
    return Parameters(
        {_told(name): value for name, value in finding.values.items()},
        {name: limits.get(name, constraints.real) for name in finding.values if name not in finding.owners},
        modules,
        {path: places[id(parameter)] for path, parameter in named if id(parameter) in places},
    )


def _told(name: str) -> str:
    """A name of Pyro as it is told: encoder$$$weight is encoder.weight."""
    return name.replace("$$$", ".")
