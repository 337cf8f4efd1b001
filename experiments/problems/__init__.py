"""The problems that gradmark ships, one a file; importing this package registers them (entry point `problems`)."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__, f"{__name__}."):
    import_module(module.name)
