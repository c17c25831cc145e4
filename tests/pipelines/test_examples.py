"""The examples in the docstrings of the public interface, run one after another in one folder."""

import doctest
import inspect

import pytest

import tenfold.pipelines

pytestmark = pytest.mark.slow

IN_ORDER = (
    "simulate_volumes", "simulate_surrogates", "ingest_volumes", "train_estimator", "Estimator",
    "simulate_massmaps", "ingest_massmaps", "train_emulator", "MassMapEmulator", "emulate",
    "ingest_molecules", "train_molecules", "MoleculePredictor", "predict_molecules",
    "load", "validate", "explain",
)  # fmt: skip
"""Each example uses the files that those before it have written."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


def doctests(name: str) -> list[doctest.DocTest]:
    """Examples of a public name, and of its methods if it is a class."""
    public = getattr(tenfold.pipelines, name)
    finder = doctest.DocTestFinder(recurse=inspect.isclass(public), exclude_empty=True)
    module = inspect.getmodule(public)
    return [test for test in finder.find(public, name, module, globs={}) if test.examples]


@pytest.mark.parametrize("name", [*IN_ORDER, *sorted({*tenfold.pipelines.__all__} - {*IN_ORDER})])
def test_the_examples_of_a_public_name_show_what_it_does(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    tests = doctests(name)
    assert tests, f"{name} has no example"
    for test in tests:
        report: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
        assert not result.failed, "".join(report)


def test_the_example_of_the_package_itself():
    assert doctest.testmod(tenfold.pipelines).failed == 0
