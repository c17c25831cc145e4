"""Names of targets, units, classes and molecules are escaped on the pages of molecular predictors."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tests.formats.molecules import CONFIG, write_csv
from tests.pipelines.reports.pages import HOSTILE, ORDINARY, check_page

from tenfold.emulators.attributions import integrated_gradients
from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.labels.enumeration import enumerate_molecules
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor import baselines, class_baselines, explain, report, scores
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.training import kind_of
from tenfold.pipelines.predictor.validate import validate_molecules
from tenfold.pipelines.training.run_folder import RunFolder

NETWORK = MPNN(network="dmpnn", hidden=16, depth=2, dense_units=(8,), readout="mean")
WRITTEN = tuple(name.replace("\x00", "") for name in HOSTILE)
"""Names that a text table can contain."""
MOLECULES = list(dict.fromkeys(enumerate_molecules(80, 3, "druglike")))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Use few trees and resamples, one molecule per target with attributions in one step, and all rejected rows."""
    intervals = scores._intervals

    def few_draws(functions, count, seed, draws, *usable):
        return intervals(functions, count, seed, 20, *usable)

    def one_step(network, architecture, layout, graph, target, steps, class_code):
        return integrated_gradients(network, architecture, layout, graph, target, 1, class_code)

    monkeypatch.setattr(scores, "_intervals", few_draws)
    for module in (report, explain):
        monkeypatch.setattr(module, "integrated_gradients", one_step)
    for module, name in ((baselines, "TREES"), (baselines, "SELECTION_TREES"), (class_baselines, "TREES")):
        monkeypatch.setattr(module, name, 3)
    monkeypatch.setattr(report, "WORST_SHOWN", 1)
    monkeypatch.setattr(report, "REJECTED_SHOWN", len(HOSTILE))


def ingested(folder: Path, names: tuple[str, ...], labels: dict[str, list], **changes) -> Path:
    """Ingest molecules with a name after each SMILES, and rows that are not molecules."""
    rows = [
        (f"{smiles} {names[n % len(names)]}", *(column[n] for column in labels.values()))
        for n, smiles in enumerate(MOLECULES)
    ]
    rows += [(name, *(column[0] for column in labels.values())) for name in names]
    table = write_csv(folder / "table.csv", rows, ("smiles", *labels))
    ingest_molecules(
        [table], folder / "data",
        dataclasses.replace(CONFIG, targets=tuple(labels), fractions=(0.6, 0.2, 0.2), **changes),
    )  # fmt: skip
    return folder / "data"


def untrained(path: Path, data: Path) -> RunFolder:
    """Write a finished run of an untrained network."""
    run = RunFolder(path)
    run.create()
    with MoleculeShards.open(data) as shards:
        targets = tuple(
            Target(name=target.name, unit=target.unit, classes=target.classes) for target in shards.manifest.targets
        )
        config = PredictorConfig(
            architecture=NETWORK, featuriser=shards.manifest.featuriser, kind=kind_of(shards), targets=targets
        )
        predictor = MoleculePredictor(config.network(seed=3), config, batch_size=16)
        test = shards.split("test")
        outputs = predictor.outputs(shards.graphs(test))
        predictions = predictor.predictions_from_outputs(outputs)
        mean, sigma = np.moveaxis(predictor.values(predictions) if config.multiclass else predictions, -1, 0)
        probability = {"test_probability": predictions} if config.multiclass else {}
        run.write_predictions(
            test_record=test, test_true=shards.targets(test), test_mean=mean, test_sigma=sigma, **probability
        )
        fingerprint = shards.manifest.fingerprint
    predictor.bundle({}, "").write(run.bundle)
    run.write_record("molecules", {
        "data": str(data), "fingerprint": fingerprint, "network": {}, "training": {},
        "parameters": 1, "versions": {}, "seed": 1, "ranks": 1, "wall_s": 1.0,
    })  # fmt: skip
    return run


def test_of_targets_with_units(tmp_path):
    def render(names: tuple[str, ...]) -> Path:
        study = tmp_path / str(names is ORDINARY)
        study.mkdir()
        labels = {name: [len(smiles) + 0.1 * n for smiles in MOLECULES] for n, name in enumerate(names)}
        units = dict(zip(names, names, strict=True))
        run = untrained(study / "run", ingested(study, names, labels, units=units))
        (study / "molecules").mkdir()
        by_dft = [
            {"smiles": f"CCO {name}", **{by: {"seconds": 1.0, "properties": {name: 1.0}} for by in ("dft", "gfn2")}}
            for name in names
        ]
        (study / "molecules" / "dft.json").write_text(json.dumps({"molecules": by_dft}))
        return validate_molecules(run.path)

    check_page(render, hostile=WRITTEN)


def test_of_classes(tmp_path):
    def render(names: tuple[str, ...]) -> Path:
        study = tmp_path / str(names is ORDINARY)
        study.mkdir()
        labels = {
            names[0]: [names[len(smiles) % len(names)] for smiles in MOLECULES],
            "bins": [names[len(smiles) % 2] for smiles in MOLECULES],  # also a key of metrics.json
        }
        kinds = dict.fromkeys(labels, "classification")
        return validate_molecules(untrained(study / "run", ingested(study, names, labels, kinds=kinds)).path)

    check_page(render, hostile=WRITTEN)


def test_of_molecules_that_are_explained(tmp_path):
    def render(names: tuple[str, ...]) -> Path:
        targets = tuple(Target(name=name, unit=name) for name in names)
        config = PredictorConfig(architecture=NETWORK, featuriser=CONFIG.featuriser, kind="regression", targets=targets)
        bundle = tmp_path / f"{names[1]}.tenfold"
        MoleculePredictor(config.network(seed=3), config, batch_size=16).bundle({}, "").write(bundle)
        return explain.explain_molecules(bundle, [f"CCO {names[0]}", *names, "C\udcff"], tmp_path / names[1])

    check_page(render, r"C\udcff")
