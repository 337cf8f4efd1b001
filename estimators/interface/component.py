"""What a spec builds."""

from dataclasses import field
from typing import Any, ClassVar

from estimators.interface import specs

__all__ = ["Component", "learned"]


def learned() -> Any:
    """A dataclass field for what an estimator has learned: never an option of its spec, `None` until learned."""
    return field(default=None, repr=False, compare=False, kw_only=True, metadata={"learned": True})


class Component:
    """What a spec builds: a frozen dataclass whose fields, all with defaults, are its options."""

    name: ClassVar[str] = ""  # set by registration

    @classmethod
    def variants(cls) -> list[str]:
        """The specs that `rank`, `check`, the conformance tests and the benchmarks go through.

        Those of a problem are small enough to see a bias of 1 %.
        """
        return [cls.name]

    @property
    def spec(self) -> str:
        """The canonical spec: `name`, or `name:key=value,…` with sorted keys and defaults left out."""
        return specs.canonical(self)
