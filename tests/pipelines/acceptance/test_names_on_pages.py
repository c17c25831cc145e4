"""Names of parameters, simulations and units are text on the page of an emulator's validation."""

import shutil
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import pytest
from tests.pipelines.reports.pages import HOSTILE, ORDINARY, check_page, name_fields
from tests.pipelines.studies.test_study import SIDE, write_estimator, write_map_files

from tenfold.emulators.gan import GAN
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel
from tenfold.pipelines.acceptance import map_statistics
from tenfold.pipelines.acceptance.acceptance import Tolerances
from tenfold.pipelines.acceptance.validate import validate_massmaps
from tenfold.pipelines.emulator.config import GeneratorConfig
from tenfold.pipelines.emulator.emulator import ParameterSpace
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.provenance import FieldProperties

UNITS = {ORDINARY: "unit", HOSTILE: HOSTILE[0]}
QUICK = Tolerances(draws=20, repeats=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[tuple[str, ...], Path]:
    """Shards of small maps, by the names of their parameters."""
    folder = tmp_path_factory.mktemp("maps")
    write_map_files(folder / "maps", 24, seed=1)
    ingest_massmaps([folder / "maps"], folder / "data", MassMapIngest(processes=1, fractions=(0.3, 0.1, 0.6)))
    made = {}
    for index, (names, unit) in enumerate(UNITS.items()):
        made[names] = Path(shutil.copytree(folder / "data", folder / f"{index}"))
        replace(name_fields(made[names], names), units=unit).write(made[names] / "manifest.json")
    return made


def untrained(path: Path, data: Path, names: tuple[str, ...]) -> Path:
    """A finished run of an emulator that takes some of the parameters."""
    manifest, count = Manifest.read(data / "manifest.json"), len(names)
    architecture = GAN(
        size=SIDE, latent_dim=8, filters=(4, 8, 8), critic_filters=(4, 8), style_dim=8, conditions=count, group_size=2
    )  # fmt: skip
    location, scale = manifest.parameter_mean[:count], manifest.parameter_std[:count]
    intensity = IntensityTransform((-0.01,), (0.01,), (0.8,), (0.7,))
    config = GeneratorConfig.from_lognormal_model(
        architecture, LognormalModel.white_noise(SIDE, intensity, location, scale), "float32"
    )
    run = RunFolder(path)
    run.create()
    facts = {
        "fields": asdict(FieldProperties.of(manifest)),
        "parameters": asdict(ParameterSpace(ranges=dict.fromkeys(names, (0.0, 1.0)), fixed={})),
    }
    Bundle.of("emulator", config, config.network(seed=3), facts).write(run.bundle)
    run.write_record("emulator", {
        "data": str(data), "fingerprint": manifest.fingerprint, "names": list(names),
        "low": [0.0] * count, "high": [1.0] * count, "side_deg": 2.0, "network": {"network": "wgan-gp"},
        "versions": {}, "seed": 1, "ranks": 1, "best_epoch": 1, "wall_s": 1.0,
    })  # fmt: skip
    return path


@pytest.fixture(autouse=True)
def two_statistics(monkeypatch):
    """Test two statistics only: the figures of the others are of the same kind."""
    every = map_statistics._statistics
    monkeypatch.setattr(map_statistics, "_statistics", lambda *facts: islice(every(*facts), 2))


def test_names_of_parameters_of_an_emulator_and_an_estimator_are_text(data, tmp_path):
    def render(names: tuple[str, ...]) -> Path:
        run = untrained(tmp_path / str(names is HOSTILE), data[names], names)
        (run / "estimator").mkdir()
        write_estimator(data[names], run / "estimator", names[:2])
        return validate_massmaps(run, tolerances=QUICK, estimator=run / "estimator")[0]

    check_page(render, UNITS[HOSTILE])


def test_names_of_simulations_are_text_for_an_emulator_without_parameters(data, tmp_path):
    def render(names: tuple[str, ...]) -> Path:
        return validate_massmaps(untrained(tmp_path / str(names is HOSTILE), data[names], ()), tolerances=QUICK)[0]

    check_page(render)
