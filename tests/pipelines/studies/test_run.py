"""A complete study of mass maps by its command, and families of networks from shards to acceptance tests."""

import json
import logging
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from tests.pipelines.emulator.lognormal import lognormal
from typer.testing import CliRunner

from tenfold.emulators.adversarial import AdversarialTraining
from tenfold.emulators.cnn import CNN
from tenfold.emulators.gan import GAN
from tenfold.emulators.training import FieldTraining
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.acceptance import validate as validation
from tenfold.pipelines.acceptance.acceptance import Tolerances
from tenfold.pipelines.acceptance.validate import validate_massmaps
from tenfold.pipelines.cli.main import app
from tenfold.pipelines.config import load
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.emulator.train import train_emulator
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.training import build_estimator
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.fits_cubes import write_maps
from tenfold.pipelines.studies import massmaps_run, stages
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.studies.study import run_study
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps

pytestmark = pytest.mark.slow

SIDE, MAPS = 16, 16
# of eight cosmologies, three are for training and four, which lie between them, for the acceptance tests
STUDY = """
simulation: {count: 8, maps: 16, particles: 16, plane: 48, steps: 2, side_deg: 2.0, pixels: 16, sources: [0.3],
  ranges: {sigma_8: [0.6, 1.0]}, processes: 1}
ingest: {seed: 4, fractions: [0.4, 0.1, 0.5], processes: 1}
network: {size: 16, latent_dim: 4, filters: [4, 4], critic_filters: [4], style_dim: 4, conditions: 1, group_size: 2,
  boundary: cropped}
training: {epochs: 1, global_batch: 16, reference_batch: 16, validation_maps: 16, moment_matching_steps: 20,
  shifts: false, loss: logistic, penalty: none}
estimator: {dimensions: 2, size: 16, transform: identity, filters: [4], dense_units: [4]}
estimator_training: {epochs: 1, global_batch: 16, shifts: false}
acceptance: {draws: 20}
"""


@pytest.fixture
def launched(monkeypatch) -> list[list[str]]:
    """Run the commands of a study in this process and record them."""
    calls = []

    def run_here(command, check):
        calls.append(command[1:3])
        result = CliRunner().invoke(app, command[1:])
        return subprocess.CompletedProcess(command, result.exit_code)

    monkeypatch.setattr(stages.subprocess, "run", run_here)
    monkeypatch.setattr(logging.getLogger("tenfold"), "handlers", [])  # each command's handlers end with it
    return calls


def test_a_study_runs_from_an_empty_folder_to_its_verdicts_and_repeats_only_the_assessment(
    tmp_path, launched, monkeypatch
):
    (tmp_path / "study.yaml").write_text(STUDY)
    out = tmp_path / "study"
    command = ["run", "massmaps", "--config", str(tmp_path / "study.yaml"), "--out", str(out), "--ranks", "1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert launched == [["train", "emulator"], ["train", "estimator"]]
    metrics = json.loads((out / "metrics.json").read_text())
    assert f"of {len(metrics['verdicts'])} verdicts are favourable" in result.stdout
    assert {"angular_power", "peaks", "memorisation", "estimated_sigma_8"} <= metrics["verdicts"].keys()
    for verdict in metrics["verdicts"].values():
        assert {"value", "tolerance", "null", "passed"} <= verdict.keys()
        assert isinstance(verdict["passed"], bool)
    assert len(metrics["held_out"]["cosmologies"]) == 4
    assert metrics["speed"]["simulated_wall_s"] > 0
    assert "<img " in (out / "report.html").read_text()

    def outputs():
        paths = [path for path in out.rglob("*") if path.suffix in (".fits", ".h5", ".tenfold", ".csv")]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    before = outputs()
    assert {path.suffix for path in before} >= {".fits", ".tenfold", ".csv"}
    assessments = []

    def assess_again(*arguments, **_):
        assessments.append(arguments)
        raise InputError("only the assessment is repeated")

    monkeypatch.setattr(validation, "validate_massmaps", assess_again)
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, InputError)
    assert len(assessments) == 1
    assert outputs() == before


@pytest.mark.parametrize("setting", ["simulation.ranges={}", "simulation.sources=[1.0, 0.5]"])
def test_no_estimator_is_trained_where_it_could_not_test_the_emulator(tmp_path, monkeypatch, setting):
    trained, estimators = [], []
    assessment = SimpleNamespace(favourable=0, verdicts={}, undecided=[], failed=[], passed=True)

    def validate(*_, estimator, **__):
        estimators.append(estimator)
        return tmp_path / "report.html", assessment

    for part in ("simulate_massmaps", "ingest_massmaps"):
        monkeypatch.setattr(massmaps_run, part, lambda *_: None)
    monkeypatch.setattr(massmaps_run, "launch_training", lambda kind, *_: trained.append(kind))
    monkeypatch.setattr(validation, "validate_massmaps", validate)
    run_study(load(MassMapsRun, preset="demo", settings=(setting,)), tmp_path)
    assert (trained, estimators) == (["emulator"], [None])


def test_an_estimator_needs_a_parameter_that_varies():
    data = SimpleNamespace(manifest=SimpleNamespace(shape=(SIDE, SIDE, 1), mask=None, parameter_names=()))
    with pytest.raises(InputError, match="no parameter varies"):
        build_estimator(data, CNN(dimensions=2, size=SIDE, filters=(4,), dense_units=(4,)), FieldTraining())


@pytest.fixture(scope="module")
def map_shards(tmp_path_factory):
    """Shards of log-normal maps of sixteen cosmologies, at one source redshift and at two."""
    folder, rng = tmp_path_factory.mktemp("map_shards"), np.random.default_rng(1)
    for name in ("one", "two"):
        (folder / f"{name}_maps").mkdir()
    for n, sigma_8 in enumerate(np.linspace(0.6, 1.0, 16)):
        far, other = (lognormal(SIDE, sigma_8 - 0.3, -2.2, MAPS, rng) for _ in range(2))
        near = 0.4 * far + 0.3 * other  # correlated by 0.8, half as high
        for name, maps, sources in (("one", far, (1.0,)), ("two", np.concatenate([far, near], -1), (1.0, 0.5))):
            write_maps(
                folder / f"{name}_maps" / f"{n}.fits", maps, cosmology=Cosmology(sigma_8=sigma_8), side_deg=2.0,
                sources=sources, trusted=(180.0, 1440.0), seed=n, simulation=f"sky_{n}", varied=("sigma_8",), config={},
            )  # fmt: skip
    for name in ("one", "two"):
        ingest_massmaps([folder / f"{name}_maps"], folder / name, MassMapIngest(fractions=(0.5, 0.1, 0.4), processes=1))
    return folder


def trained(data, out, **changes) -> MassMapEmulator:
    """Train an emulator for one epoch."""
    architecture = {
        "size": SIDE,
        "latent_dim": 4,
        "filters": (4, 4),
        "critic_filters": (4,),
        "style_dim": 4,
        "group_size": 2,
    }
    training = AdversarialTraining(
        epochs=1, global_batch=16, reference_batch=16, validation_maps=16, moment_matching_steps=20,
        shifts=False, loss="logistic", penalty="none",
    )  # fmt: skip
    train_emulator(data, out, GAN(boundary="cropped", **{**architecture, **changes}), training, Ranks())
    return MassMapEmulator.load(out)


def assessed(run, emulator, channel: int = 0) -> tuple[dict, str]:
    """Metrics and report of the acceptance tests of an emulator of one cosmology."""
    with pytest.raises(InputError, match="sigma_8: is not a parameter"):
        emulator.sample(1, seed=1, sigma_8=0.8)
    report, assessment = validate_massmaps(run, tolerances=Tolerances(draws=20, channel=channel))
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["verdicts"].keys() == assessment.verdicts.keys() >= {"angular_power", "memorisation"}
    assert len(metrics["held_out"]["cosmologies"]) >= 4
    page = report.read_text()
    assert "the generator does not depend on cosmology" in page
    return metrics, page


def test_a_dcgan_runs_from_shards_to_its_acceptance_tests(map_shards, tmp_path):
    emulator = trained(map_shards / "one", tmp_path / "run", network="dcgan", style_dim=GAN.style_dim)
    maps = emulator.sample(20, seed=1)
    assert maps.shape == (20, SIDE, SIDE)
    assert np.isfinite(maps).all()
    assert (emulator.sample(3, seed=1) == maps[:3]).all()
    assert len({one.tobytes() for one in maps}) == 20
    metrics, page = assessed(tmp_path / "run", emulator)
    assert metrics["held_out"]["channels"] == 1
    assert "source redshifts" not in page
    assert "trained to match" not in page  # its critic sees only pixels


def test_maps_of_two_source_redshifts_are_correlated_and_the_report_names_the_tested_one(map_shards, tmp_path):
    emulator = trained(map_shards / "two", tmp_path / "run", channels=2)
    maps = emulator.sample(256, seed=1)
    assert maps.shape == (256, SIDE, SIDE, 2)
    far, near = maps[..., 0], maps[..., 1]
    assert near.std() / far.std() == pytest.approx(0.5, abs=0.1)
    assert np.corrcoef(far.ravel(), near.ravel())[0, 1] == pytest.approx(0.8, abs=0.1)
    metrics, page = assessed(tmp_path / "run", emulator, channel=1)
    assert metrics["held_out"]["channels"] == 2
    assert "The maps have 2 source redshifts. Channel 1 is tested (z = 0.5);" in page
    for sentence in ("those that it is trained to match", "chosen on such verdicts", "kurtosis 36 % too high", "0.96"):
        assert sentence in page
    assert max(metrics["bins"]["pixel_distribution"]["centres"]) < 0.7 * np.quantile(far, 0.998)
    with pytest.raises(InputError, match=r"acceptance\.channel: found 2, the maps have 0 to 1"):
        validate_massmaps(tmp_path / "run", tolerances=Tolerances(channel=2))
