"""Names of parameters, simulations and runs are escaped on the pages of estimators."""

import shutil
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest
from tests.pipelines.estimator.test_validate import SIDE, make_run, make_shards
from tests.pipelines.reports.pages import HOSTILE, ORDINARY, check_page, name_fields

from tenfold.emulators.cnn import CNN
from tenfold.pipelines.estimator import example_boxes
from tenfold.pipelines.estimator import validate as validation
from tenfold.pipelines.estimator.baseline import Baseline
from tenfold.pipelines.estimator.estimator import EstimatorConfig
from tenfold.pipelines.estimator.explain import explain_estimator
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.provenance import FieldProperties

RUNS = {ORDINARY: "run", HOSTILE: f"{HOSTILE[1]}\udcff"}
"""Names of the folders; a byte that is not UTF-8 is in one."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[tuple[str, ...], Path]:
    """Finished runs on small boxes, by the names of their parameters; their networks are untrained."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "boxes").mkdir()
    data, made = make_shards(folder), {}
    for index, (names, name) in enumerate(RUNS.items()):
        data = Path(shutil.copytree(data, folder / f"data {index}"))
        name_fields(data, names)
        made[names] = make_run(folder / name, data, 0.02)
        run = RunFolder(made[names])
        count = len(names)
        config = EstimatorConfig(
            architecture=CNN(size=SIDE, coarsen=2, filters=(4,), dense_units=(8,), pooling="average", readout="global"),
            names=names, location=(0.5,) * count, scale=(0.1,) * count, mean=(0.0,), std=(1.0,),
            sigma_factor=(1.0,) * count,
        )  # fmt: skip
        facts = {"fields": asdict(FieldProperties.of(Manifest.read(data / "manifest.json")))}
        Bundle.of("estimator", config, config.network(seed=1), facts).write(run.bundle)
        run.write_record("estimator", {**run.read_record(), "names": list(names), "sigma_factor": [1.0] * count})
    return made


def test_on_the_page_of_a_validation(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(example_boxes, "theory_spectra", lambda *_: {})  # CAMB takes seconds
    monkeypatch.setattr(validation, "compare", cache(validation.compare))  # each run is its own null test
    monkeypatch.setattr(validation, "BOOTSTRAP_DRAWS", 200)
    quick = Baseline(folds=2, members=1)
    check_page(lambda names: validation.validate(runs[names], runs[names], tmp_path / RUNS[names], baseline=quick))


def test_on_the_page_of_an_estimator_s_saliency(runs, tmp_path):
    def render(names: tuple[str, ...]) -> Path:
        return explain_estimator(runs[names], tmp_path / RUNS[names], count=2, method="gradient")

    check_page(render, RUNS[HOSTILE].replace("\udcff", r"\udcff"))
