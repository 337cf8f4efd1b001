"""What a spec builds."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, ClassVar, final

from estimators.interface import specs

__all__ = ["Component", "learned"]


def learned() -> Any:
    """A dataclass field for what an estimator has learned: never an option of its spec, `None` until learned."""
    return field(default=None, repr=False, compare=False, kw_only=True, metadata={"learned": True})


class Component:
    """What a spec builds: a frozen dataclass whose fields, all with defaults, are its options."""

    name: ClassVar[str] = ""  # set by registration
    former: ClassVar[Mapping[str, str]] = {}
    """Earlier names of options, which specs may still have, and what they are called now."""

    @classmethod
    def variants(cls) -> list[str]:
        """The specs that `rank`, `check`, the conformance tests and the benchmarks go through.

        Those of a problem are small enough to see a bias of 1 %.
        """
        return [cls.name]

    @property
    def spec(self) -> str:
        """The canonical spec: `name`, or `name:key=value,…` with sorted keys and defaults left out."""
        return self._spec

    @cached_property
    def _spec(self) -> str:
        """It is asked for in each training step."""
        return specs.canonical(self)

    @property
    def sources(self) -> tuple[str, ...]:
        """Files besides those of its classes that decide what it computes: results of another version are others."""
        return ()

    @property
    @final
    def learns(self) -> bool:
        """Whether it, or a component in it, has coefficients that are learned."""
        return any(True for _ in self._learned())

    @property
    @final
    def unlearned(self) -> bool:
        """Whether it, or a component in it, has learned nothing yet of what it learns."""
        return any(all(value is None for value in values) for values in self._learned())

    def _learned(self) -> Iterator[list[Any]]:
        """The values of the learned fields, of each component that has any: this one and those in it."""
        declared = getattr(type(self), "__dataclass_fields__", {}).values()
        values = [(one, getattr(self, one.name)) for one in declared]
        if own := [value for one, value in values if one.metadata.get("learned")]:
            yield own
        for _, value in values:
            if isinstance(value, Component):
                yield from value._learned()
