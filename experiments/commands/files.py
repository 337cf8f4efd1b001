"""Components that a user gives by file."""

from estimators.registry import Kind, components, load_plugin

__all__ = ["registered_by"]


def registered_by(file: str, kind: Kind) -> list[str]:
    """Import a plug-in file and name the components of a kind that it registers. ValueError: it registers none."""
    before = components(kind)
    load_plugin(file)
    found = [name for name, cls in components(kind).items() if before.get(name) is not cls]
    if not found:
        decorator = f'@register_{kind.replace(" ", "_")}("name")'
        raise ValueError(f"{file} registers no {kind}: put {decorator} above its class")
    return found
