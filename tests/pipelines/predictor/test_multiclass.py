"""Targets with several classes and with two named ones, from a table of class names to predicted classes."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from tests.formats.molecules import CONFIG, write_csv

from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.training import RegressionTraining
from tenfold.hpc.ranks import launch
from tenfold.pipelines.labels.enumeration import enumerate_molecules
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.explain import explain, explain_molecules
from tenfold.pipelines.predictor.predict import predict_molecules
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.train import train_molecules
from tenfold.pipelines.predictor.validate import validate_molecules

NETWORK = MPNN(network="dmpnn", hidden=32, depth=2, dense_units=(32,), readout="mean")
TRAINING = RegressionTraining(epochs=30, global_batch=16, reference_batch=16, learning_rate=1e-2, ema_decay=0.9)


@pytest.fixture(scope="module")
def smiles():
    return list(dict.fromkeys(enumerate_molecules(300, 3, "druglike")))


def nitrogen(smiles):
    return ("zero", "one")[count] if (count := smiles.lower().count("n")) < 2 else "many"


@pytest.fixture(scope="module")
def run(tmp_path_factory, smiles):
    """Run trained on the amount of nitrogen in words and the presence of fluorine; some labels are missing."""
    folder = tmp_path_factory.mktemp("classes")
    rows = [
        (molecule, "" if n % 11 == 0 else nitrogen(molecule), "FT"["F" in molecule])
        for n, molecule in enumerate(smiles)
    ]
    table = write_csv(folder / "m.csv", rows, ("smiles", "nitrogen", "fluorinated"))
    config = dataclasses.replace(CONFIG, targets=("nitrogen", "fluorinated"), fractions=(0.6, 0.2, 0.2))
    ingest_molecules([table], folder / "data", config)
    return train_molecules(folder / "data", folder / "run", NETWORK, TRAINING, launch({}))


def test_named_classes_are_learnt(run):
    scores = json.loads((run.path / "metrics.json").read_text())["targets"]
    assert scores["nitrogen"]["roc_auc"] > 0.9
    assert scores["nitrogen"]["log_loss"] < 0.7 * np.log(3)
    assert list(scores["nitrogen"]["class_counts"]) == ["many", "one", "zero"]
    assert scores["fluorinated"]["positive_class"] == "T"
    assert any(target.startswith("nitrogen: classification") for target in run.read_record()["targets"])


def test_predictions_name_the_class_and_give_the_probability_of_each(run, smiles, tmp_path):
    table = write_csv(tmp_path / "new.csv", [(molecule,) for molecule in [*smiles[:20], "C(C)(C)(C)(C)C"]], ("smiles",))
    predict_molecules(run.bundle, table, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["many", "one", "zero"]
    own = ["nitrogen_pred", *(f"nitrogen_prob_{name}" for name in names)]
    assert list(rows[0]) == ["smiles", *own, "fluorinated_pred", "fluorinated_prob_F", "fluorinated_prob_T", "problem"]
    for row in rows[:-1]:
        chance = [float(row[f"nitrogen_prob_{name}"]) for name in names]
        assert sum(chance) == pytest.approx(1, abs=1e-5)
        assert row["nitrogen_pred"] == names[int(np.argmax(chance))]
        assert row["fluorinated_pred"] == ("T" if float(row["fluorinated_prob_T"]) > 0.5 else "F")
    assert rows[-1]["nitrogen_pred"] == rows[-1]["nitrogen_prob_one"] == ""
    predictions = MoleculePredictor.load(run.bundle).predict(smiles[:20])
    assert predictions.classes == (("many", "one", "zero"), ("F", "T"))
    assert predictions.probabilities is not None
    assert [f"{probability:.6g}" for probability in predictions.probabilities[:, 0, 1]] == [
        row["nitrogen_prob_one"] for row in rows[:-1]
    ]
    np.testing.assert_array_equal(predictions.mean[:, 0], predictions.probabilities[:, 0].max(axis=1))
    np.testing.assert_array_equal(predictions.mean[:, 1], predictions.probabilities[:, 1, 1])


def test_stored_test_predictions_are_those_of_the_bundle(run):
    with np.load(run.path / "predictions.npz") as arrays, MoleculeShards.open(run.path.parent / "data") as data:
        graphs = data.graphs(arrays["test_record"])
        expected = MoleculePredictor.load(run.bundle).probabilities(graphs)
        np.testing.assert_allclose(arrays["test_probability"], expected, atol=1e-5)
        np.testing.assert_array_equal(arrays["test_mean"][:, 0], arrays["test_probability"][:, 0].max(axis=1))


def test_the_predicted_class_is_explained(run, tmp_path):
    predictor = MoleculePredictor.load(run.bundle)
    explanation = explain(predictor, "NCCN", "nitrogen")
    probability = predictor.predict(["NCCN"]).probabilities
    assert probability is not None
    assert explanation.class_name == ("many", "one", "zero")[int(probability[0, 0].argmax())]
    assert explanation.value == pytest.approx(probability[0, 0].max())
    assert explanation.completeness_error < 0.05 * np.abs(explanation.atoms).sum() + 1e-3
    page = explain_molecules(run.bundle, ["NCCN"], tmp_path / "out").read_text()
    assert f"nitrogen: probability of class {explanation.class_name}" in page
    assert "fluorinated: probability of class T" in page
    with (tmp_path / "out" / "attributions.csv").open(newline="") as file:
        assert {(row["target"], row["class"]) for row in csv.DictReader(file)} == {
            ("nitrogen", explanation.class_name),
            ("fluorinated", "T"),
        }


def test_the_report_compares_every_class_with_a_forest(run, tmp_path):
    page = validate_molecules(run.path, tmp_path / "report").read_text()
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    network, forest, frequencies = (
        scores["nitrogen"] for scores in (metrics["targets"], *metrics["baselines"].values())
    )
    assert network["accuracy"] > frequencies["accuracy"]
    assert frequencies["roc_auc"] == 0.5
    assert 0.5 < forest["roc_auc"] <= 1
    assert metrics["baselines"]["random_forest"]["fluorinated"]["roc_auc"] > 0.5
    errors = metrics["error_by_similarity"]["targets"]["nitrogen"].values()
    assert max(error for error, count in zip(*errors, strict=True) if count) <= 2
    assert "nitrogen: classification" in page
    assert "positive class: T" in page
    assert f"accuracy {network['accuracy']:.2g}"[:12] in page


def test_the_spelling_of_binary_labels_does_not_change_the_network(smiles, tmp_path):
    """-1 and 1 give bitwise the same predictions as 0 and 1."""
    means, columns = {}, {}
    for name, spelling in {"bits": ("0", "1"), "signs": ("-1", "1")}.items():
        folder = tmp_path / name
        folder.mkdir()
        rows = [(molecule, spelling["O" in molecule]) for molecule in smiles[:80]]
        ingest_molecules([write_csv(folder / "m.csv", rows)], folder / "data", CONFIG)
        training = dataclasses.replace(TRAINING, epochs=1)
        run = train_molecules(folder / "data", folder / "run", NETWORK, training, launch({}))
        with np.load(run.path / "predictions.npz") as arrays:
            means[name] = arrays["test_mean"]
        predict_molecules(run.bundle, folder / "m.csv", folder / "out.csv")
        with (folder / "out.csv").open(newline="") as file:
            columns[name] = list(csv.DictReader(file))
    np.testing.assert_array_equal(means["signs"], means["bits"])
    assert list(columns["bits"][0]) == ["smiles", "y", "y_pred", "y_unc", "problem"]
    assert list(columns["signs"][0])[2:] == ["y_pred", "y_prob_-1", "y_prob_1", "problem"]
    chance = [row["y_pred"] for row in columns["bits"]]
    assert [row["y_prob_1"] for row in columns["signs"]] == chance
    assert {row["y_pred"] for row in columns["signs"]} <= {"-1", "1"}


def test_a_bundle_stores_the_classes(tmp_path):
    targets = (Target(name="y", unit="", classes=("a", "b", "c")), Target(name="z", unit=""))
    config = PredictorConfig(architecture=NETWORK, featuriser=CONFIG.featuriser, kind="classification", targets=targets)
    predictor = MoleculePredictor(config.network(seed=5), config, np.array([[2.0, 0.0], [1.5, -0.5]]))
    predictor.bundle({}, "").write(tmp_path / "bundle.tenfold")
    again = MoleculePredictor.load(tmp_path / "bundle.tenfold")
    assert again.config.classes == (("a", "b", "c"), ("0", "1"))
    before, after = (model.predict(["CCO", "c1ccncc1", "no molecule"]).probabilities for model in (predictor, again))
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(before[:2].sum(axis=-1), 1)
    assert (before[:2, 1, 2] == 0).all()
    assert np.isnan(before[2]).all()


@pytest.mark.parametrize("classes", [("a",), ("a", "a"), ("a", "b", "a")])
def test_fewer_than_two_or_repeated_class_names_are_refused(classes):
    with pytest.raises(ValueError, match="2 or more different names"):
        Target(name="y", unit="", classes=classes)
