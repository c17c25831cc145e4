"""One function opens every trained network, from its bundle alone or from the folder of its run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.test_hostile_runs import CONFIGS, FACTS, molecules

from tenfold.pipelines import Estimator, MassMapEmulator, MoleculePredictor, load
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run_folder import RunFolder, RunKind

CLASSES = {"estimator": Estimator, "emulator": MassMapEmulator, "molecules": MoleculePredictor}


def bundle_of(kind: RunKind) -> Bundle:
    if kind == "molecules":
        return molecules()[1]
    return Bundle.of(kind, CONFIGS[kind], CONFIGS[kind].network(seed=3), FACTS[kind])


@pytest.fixture(scope="module", params=CLASSES)
def run(request, tmp_path_factory) -> RunFolder:
    """A run of each kind: nothing but its bundle."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / request.param)
    folder.create()
    bundle_of(request.param).write(folder.bundle)
    return folder


def test_the_bundle_alone_and_the_folder_of_the_run_give_the_same_network(run, tmp_path):
    mailed = tmp_path / "any name"
    mailed.write_bytes(run.bundle.read_bytes())
    loaded = [load(path) for path in (run.path, str(run.path), run.bundle, mailed)]
    assert {type(model) for model in loaded} == {CLASSES[run.path.name]}
    first, *others = ([np.asarray(weight) for weight in model.network.weights] for model in loaded)
    for weights in others:
        assert all(np.array_equal(one, other) for one, other in zip(first, weights, strict=True))


def test_each_network_predicts_or_generates(run):
    loaded = load(run.path)
    if isinstance(loaded, Estimator):
        mean, sigma = loaded.predict(np.zeros((2, 8, 8, 1), np.float32))
        assert mean.shape == sigma.shape == (2, 2)
        field = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32)
        saliency = loaded.explain(field, method="gradient")
        assert saliency.names == loaded.names
    elif isinstance(loaded, MassMapEmulator):
        assert loaded.sample(2, seed=1, omega_m=0.3, sigma_8=0.8).shape == (2, 16, 16)
    else:
        predictions = loaded.predict(["CCO", "no molecule"])
        assert predictions.reasons[0] is None
        assert "CCO" in repr(predictions)
        assert loaded.explain("CCO").target == "gap"


def test_the_representation_is_a_few_lines_of_text_or_html(run):
    loaded = load(run.path)
    text, page = repr(loaded), loaded._repr_html_()
    assert text.splitlines()[0] == type(loaded).__name__
    assert len(text.splitlines()) >= 4
    word = {"estimator": "omega_m", "emulator": "omega_m", "molecules": "gap [eV]"}[run.path.name]
    assert word in text
    assert word in page
    assert page.startswith("<table>")


def test_names_from_a_file_are_text_in_a_notebook(tmp_path):
    hostile = "<script>alert(1)</script>"
    config = replace(CONFIGS["estimator"], names=(hostile, "sigma_8"))
    Bundle.of("estimator", config, config.network(seed=3), FACTS["estimator"]).write(tmp_path / "a.tenfold")
    assert "<script>" not in load(tmp_path / "a.tenfold")._repr_html_()
    predictions = load(write_molecules(tmp_path / "b.tenfold")).predict([f"C {hostile}"])  # type: ignore[union-attr]
    assert "<script>" not in predictions._repr_html_()


def write_molecules(path: Path) -> Path:
    molecules()[1].write(path)
    return path


def test_a_bundle_records_its_training_data(run):
    bundle = Bundle.read(run.path)
    assert bundle.kind == run.path.name
    if bundle.kind == "molecules":
        assert bundle.facts["units"] == {"gap": "eV"}
    else:
        assert bundle.facts["fields"]["units"] == "kappa"
