"""The rooms of the two packages: who may import from whom, as CONTRIBUTING.md lists them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOM = re.compile(r"^(?:│  )*[├└]─ ([\w/]+(?:\.py)?)", re.MULTILINE)
MOST_ROOMS, LOOSE = 20, {"estimators": 8, "experiments": 4}
LONGEST = 250


def rooms(package: str) -> list[str]:
    """The rooms and loose modules of a package, in the order of CONTRIBUTING.md: each imports from those before it."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (block,) = re.findall(rf"```text\n{package}/\n(.*?)```", text, re.DOTALL)
    return [line.split()[0].rstrip("/") for line in block.splitlines() if line.strip()]


def room(module: str) -> str:
    """`estimators.noise.sobol` -> noise, `estimators.pathwise` -> pathwise."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def files(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if "templates" not in path.parts:
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path, package: str) -> Iterator[str]:
    """The modules of a package that a file imports, inside of functions too; as types alone does not count."""
    tree = ast.parse(path.read_text("utf-8"))
    typing = {id(node) for branch in ast.walk(tree) if is_for_types(branch) for node in ast.walk(branch)}
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == package)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else node.module


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@pytest.mark.parametrize("package", ["estimators", "experiments"])
def test_no_room_imports_from_a_later_one(package: str) -> None:
    order = rooms(package)
    against = [
        f"{name} imports {found}"
        for name, path in files(package)
        for found in imports(path, package)
        if order.index(room(name)) < order.index(room(found))
    ]
    assert not against


@pytest.mark.parametrize("package", ["estimators", "experiments"])
def test_no_circle_of_modules(package: str) -> None:
    edges = {name: {found for found in imports(path, package) if found != name} for name, path in files(package)}
    while leaves := [name for name, found in edges.items() if not found & edges.keys()]:
        for name in leaves:
            del edges[name]
    assert not edges


@pytest.mark.parametrize("package", ["estimators", "experiments"])
def test_the_tree_is_the_one_that_is_described(package: str) -> None:
    children = [path for path in (ROOT / package).iterdir() if path.name != "__pycache__"]
    loose = {path.stem for path in children if path.suffix == ".py"}
    folders = {path.name for path in children if path.is_dir()}
    assert {*rooms(package)} == loose | folders
    assert len(loose) <= LOOSE[package] and len(folders) <= MOST_ROOMS


def test_estimators_never_import_experiments() -> None:
    assert not [name for name, path in files("estimators") for _ in imports(path, "experiments")]


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    folders = [ROOT / name for name in ("estimators", "experiments", "tests", "benchmarks")]
    sources = [ROOT / "noxfile.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in sources}
    assert not {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > LONGEST}
