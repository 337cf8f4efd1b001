"""What an estimator has learned, apart from it: to be saved beside the parameters of a training run and put back."""

import dataclasses
from typing import Any, TypeVar

from estimators.interface import Component

__all__ = ["learned_state", "with_learned_state"]

C = TypeVar("C", bound=Component)


def learned_state(component: Component) -> dict[str, Any]:
    """The learned fields of a component and, as dictionaries of their own, of the components in it; no others.

    Pytrees of tensors, which `torch.save` writes and `torch.load(weights_only=True)` reads.
    """
    found = {}
    for field in dataclasses.fields(component):  # pyright: ignore[reportArgumentType]
        value = getattr(component, field.name)
        if isinstance(value, Component):
            value = learned_state(value) or None
        elif not field.metadata.get("learned"):
            value = None
        if value is not None:
            found[field.name] = value
    return found


def with_learned_state(component: C, state: dict[str, Any]) -> C:
    """The component with what `learned_state` gave of an equal one."""
    inner = {name: getattr(component, name) for name in state}
    changes = {
        name: with_learned_state(inner[name], value) if isinstance(inner[name], Component) else value
        for name, value in state.items()
    }
    return dataclasses.replace(component, **changes)  # pyright: ignore[reportArgumentType, reportReturnType]
