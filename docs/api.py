"""The page of all that a person imports, from the docstrings."""

__all__ = ["SECTIONS", "api"]

SECTIONS = {
    "Measuring": (
        "experiments",
        ["measure", "rank", "race", "train", "load", "started_after", "started_from"],
    ),
    "What they return": ("experiments", ["Measurement", "Answer", "RaceAnswer", "Trained", "Train"]),
    "By name": ("estimators", ["make_estimator", "make_problem", "load_plugin"]),
    "A model": (
        "estimators",
        [
            *("register_program", "Program", "ContextProgram", "LatentProgram", "Penalty", "from_pyro"),
            *("Problem", "VariationalProblem", "LatentVariableProblem", "register_problem", "ReplicatedModule"),
            *("Params", "replicated", "started_at"),
        ],
    ),
    "An estimator": (
        "estimators",
        [
            *("Estimator", "register_estimator", "Traits", "Claim", "Objective", "Unsupported", "Noise", "learned"),
            *("sample", "values", "drawn", "Drawn", "log_prob"),
        ],
    ),
    "A control variate": (
        "estimators",
        ["ControlVariate", "ScoredSamples", "PathControl", "PathSamples", "register_control_variate"],
    ),
    "A distribution or a sampling scheme": (
        "estimators",
        ["Family", "register_family", "Scheme", "register_scheme", "IID"],
    ),
}
"""Headings, each with a package and the names that it exports."""
INTRODUCTION = """# In Python

`experiments` measures, `estimators` is what is measured: all that is imported by its name from one of the two packages.
Parameters are `[R, *shape]`, samples `[S, R, *event]` and costs `[S, R]`: S samples of one gradient, R replicates."""


def api() -> str:
    """Markdown with a directive for each name."""
    parts = [INTRODUCTION]
    for title, (package, names) in SECTIONS.items():
        parts += [f"## {title}", *(f"::: {package}.{name}" for name in names)]
    return "\n\n".join(parts)
