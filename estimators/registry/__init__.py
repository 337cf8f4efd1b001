"""Names of components, and building them from specs. Plug-ins come by entry point (`gradmark.plugins`) or by file."""

from estimators.registry.building import EVERY, every, expand, make_estimator, make_problem
from estimators.registry.faults import defined_at, message, raised_at
from estimators.registry.plugins import load_plugin, plugin_files, source_digest, source_is_known, unload_plugin
from estimators.registry.registration import (
    BASES,
    Kind,
    components,
    register_control_variate,
    register_estimator,
    register_problem,
    source_file,
)

__all__ = [
    "BASES",
    "EVERY",
    "Kind",
    "components",
    "defined_at",
    "every",
    "expand",
    "load_plugin",
    "make_estimator",
    "make_problem",
    "message",
    "plugin_files",
    "raised_at",
    "register_control_variate",
    "register_estimator",
    "register_problem",
    "source_digest",
    "source_file",
    "source_is_known",
    "unload_plugin",
]
