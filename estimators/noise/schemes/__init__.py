"""One file a sampling scheme, named as the scheme. Importing this package registers them.

A new scheme is a new file here with a class under `@register_scheme`, and nothing else.
"""

from importlib import import_module
from pkgutil import iter_modules

from estimators.noise.scheme import SCHEMES

__all__ = ["SCHEMES"]

for module in iter_modules(__path__, f"{__name__}."):
    import_module(module.name)
