"""The page of all that is imported in Python has it all, with a sentence each."""

import importlib.util
import inspect

from documentation import ROOT

import estimators
import experiments

found = importlib.util.spec_from_file_location("api", ROOT / "docs" / "api.py")
assert found is not None and found.loader is not None
page = importlib.util.module_from_spec(found)
found.loader.exec_module(page)


def test_every_name_that_is_exported_is_there_once() -> None:
    told = [f"{package}.{name}" for package, names in page.SECTIONS.values() for name in names]
    exported = [f"{package.__name__}.{name}" for package in (estimators, experiments) for name in package.__all__]
    assert sorted(told) == sorted(exported)
    assert page.api().count(":::") == len(told)


def test_each_class_and_function_has_a_docstring() -> None:
    for package, names in page.SECTIONS.values():
        for name in names:
            exported = getattr(estimators if package == "estimators" else experiments, name)
            if inspect.isclass(exported) or inspect.isfunction(exported):
                assert inspect.getdoc(exported), name
