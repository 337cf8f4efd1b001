"""One file a distribution, with all that is known of it. Importing this package registers them.

A new distribution is a new file here with a function under `@register_family`, and nothing else.
"""

from importlib import import_module
from pkgutil import iter_modules

__all__ = ["register_all"]


def register_all() -> list[str]:
    """Import every file of this folder; their names."""
    found = [module.name for module in iter_modules(__path__, f"{__name__}.")]
    for name in found:
        import_module(name)
    return found


register_all()
