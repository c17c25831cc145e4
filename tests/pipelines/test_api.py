"""The Python interface: one package lists it, importing it is cheap, and one function opens every trained network."""

import inspect
import pydoc
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

import tenfold.pipelines
from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError

VERBS = {
    "simulate_volumes", "simulate_massmaps", "label_molecules", "ingest_volumes", "ingest_massmaps", "ingest_molecules",
    "train_estimator", "train_emulator", "train_molecules", "load", "validate", "explain",
}  # fmt: skip


def test_every_public_name_exists_and_is_documented():
    assert set(tenfold.pipelines.__all__) >= VERBS
    for name in tenfold.pipelines.__all__:
        public = getattr(tenfold.pipelines, name)
        assert public.__name__ == name
        assert (public.__doc__ or "").strip(), name
        assert name in dir(tenfold.pipelines)


def test_help_lists_the_functions_and_what_they_do():
    text = pydoc.plain(pydoc.render_doc(tenfold.pipelines))
    for name in VERBS:
        assert f"{name}(" in text, f"help(tenfold.pipelines) does not show {name}"
    for name in tenfold.pipelines.__all__:
        assert f"`{name}`" in (tenfold.pipelines.__doc__ or ""), name


def test_dir_lists_the_public_names_alone():
    assert [name for name in dir(tenfold.pipelines) if not name.startswith("__")] == sorted(tenfold.pipelines.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"no attribute 'no_such_name'; see help\(tenfold\.pipelines\)"):
        tenfold.pipelines.no_such_name  # noqa: B018


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, tenfold.pipelines; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"tensorflow", "keras", "rdkit", "numpy", "matplotlib", "astropy"} & {*loaded}


def test_public_functions_have_types_for_every_argument_and_result():
    for name in tenfold.pipelines.__all__:
        public = getattr(tenfold.pipelines, name)
        if not inspect.isfunction(public):
            continue
        signature = inspect.signature(public)
        assert signature.return_annotation is not inspect.Signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter.name}"


def test_the_command_prints_its_version():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0, result.output
    assert result.output.strip() == f"tenfold {version('tenfold')}"


def test_a_file_that_is_no_bundle_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt: cannot be read as a trained network"):
        tenfold.pipelines.load(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"run\.json: does not exist, so no training has finished"):
        tenfold.pipelines.load(tmp_path)
