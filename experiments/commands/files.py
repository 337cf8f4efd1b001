"""Components that a user gives, by spec or by file."""

from estimators import specs
from estimators.registry import Kind, components, load_plugin

__all__ = ["given", "registered_by"]


USE: dict[Kind, str] = {
    "problem": "gradmark rank {name} ranks the estimators on it",
    "estimator": "gradmark check {name} tests it",
    "control variate": "score-function:control_variate={name} is an estimator",
}


def given(kind: Kind, spec: str) -> str:
    """The spec as it is. ValueError: it names something of another kind."""
    name, _ = specs.split(spec)
    for other, use in USE.items():
        if name in components(other) and name not in components(kind):
            article = "an" if other == "estimator" else "a"
            raise ValueError(f"'{name}' is no {kind} but {article} {other}: {use.format(name=name)}")
    return spec


def registered_by(file: str, kind: Kind) -> list[str]:
    """Import a plug-in file and name the components of a kind that it registers. ValueError: it registers none."""
    before = components(kind)
    load_plugin(file)
    found = [name for name, cls in components(kind).items() if before.get(name) is not cls]
    if not found:
        decorator = f'@register_{kind.replace(" ", "_")}("name")'
        raise ValueError(f"{file} registers no {kind}: put {decorator} above its class")
    return found
