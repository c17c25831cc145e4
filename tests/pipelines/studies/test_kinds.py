"""Kinds of trained networks: identified by the run record, each with its own functions and options."""

import inspect
import json

import pytest
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.kinds import kind_named, kind_of
from tenfold.pipelines.training.run_folder import KINDS, RunFolder


@pytest.fixture(params=KINDS)
def run(request, tmp_path):
    """The record of a finished training of each kind."""
    folder = RunFolder(tmp_path / request.param)
    folder.create()
    folder.write_record(request.param, {"data": "/gone", "fingerprint": "f"})
    return folder


def test_the_kind_of_a_run_is_read_from_its_record(run):
    assert kind_of(run.path).name == run.path.name == run.read_record()["what"]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_trained_and_validated_with_the_same_arguments(name):
    kind = kind_named(name)
    assert list(inspect.signature(kind.train).parameters)[:5] == ["data", "out", "network", "training", "ranks"]
    assert list(inspect.signature(kind.validate).parameters)[:2] == ["run", "out"]
    assert "seed" in kind.validation_options


def test_a_run_of_another_kind_is_refused(run):
    for other in {*KINDS} - {run.path.name}:
        with pytest.raises(InputError, match=f"of `tenfold train {run.path.name}`, not of `tenfold train {other}`"):
            run.read_record(other)


@pytest.mark.parametrize("record", [{"data": "x"}, {"what": "massmaps"}, {"what": ["estimator"]}, {"what": None}])
def test_a_record_without_a_valid_kind_is_refused(record, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(record))
    result = CliRunner().invoke(app, ["validate", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert "earlier version of tenfold" in str(result.exception)
    assert "Train again" in str(result.exception)


@pytest.mark.parametrize(
    ("option", "kind"), [("--null", "estimator"), ("--estimator", "emulator"), ("--unseen", "emulator")]
)
def test_an_option_of_another_kind_is_refused_by_name(run, option, kind):
    if run.path.name == kind:
        return
    result = CliRunner().invoke(app, ["validate", str(run.path), option, "x"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(f"{option}: does not apply")
    assert str(result.exception).endswith(f"only to one of `tenfold train {kind}`")


@pytest.mark.parametrize("name", ["estimator", "molecules"])
def test_only_acceptance_tests_can_be_configured_at_validation(name, tmp_path):
    RunFolder(tmp_path).create()
    RunFolder(tmp_path).write_record(name, {"data": "x"})
    result = CliRunner().invoke(app, ["validate", str(tmp_path), "--set", "acceptance.draws=3"])
    assert isinstance(result.exception, InputError)
    assert "--config, --set" in str(result.exception)
