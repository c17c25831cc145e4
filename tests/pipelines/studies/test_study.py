"""Mass maps by the command line: from a folder of FITS files to an emulator and its acceptance tests."""

import json
import logging
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from matplotlib.figure import Figure
from matplotlib.text import Text
from tests.formats.plain import write_table
from tests.pipelines.emulator.lognormal import lognormal
from typer.testing import CliRunner

from tenfold.emulators.cnn import CNN
from tenfold.pipelines.acceptance.validate import validate_massmaps
from tenfold.pipelines.cli.main import app
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.emulator.train import emulate
from tenfold.pipelines.emulator.training import map_metadata
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import EstimatorConfig
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.fits_cubes import write_maps
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.provenance import FieldProperties
from tenfold.pipelines.volumes.shards import Shards

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
SIDE, MAPS, COSMOLOGIES = 16, 16, 16
CONFIG = """
ingest: {fractions: [0.5, 0.2, 0.3], processes: 1}
network: {size: 16, latent_dim: 8, filters: [4, 8], critic_filters: [4], style_dim: 8, conditions: 2,
  group_size: 2, boundary: cropped}
training: {epochs: 1, global_batch: 16, reference_batch: 16, validation_maps: 16, moment_matching_steps: 20,
  shifts: false, symmetries: true}
"""


def tenfold(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "tenfold"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def write_map_files(folder: Path, cosmologies: int, seed: int, name: str = "sky", side_deg: float = 2.0) -> None:
    """Write log-normal maps, one FITS cube per cosmology."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for n in range(cosmologies):
        omega_m, sigma_8 = rng.uniform([0.2, 0.6], [0.4, 1.0])
        write_maps(
            folder / f"{n}.fits", lognormal(SIDE, sigma_8 - 0.3, -4 * omega_m - 1, MAPS, rng),
            cosmology=Cosmology(omega_m=omega_m, sigma_8=sigma_8), side_deg=side_deg, sources=(1.0,),
            trusted=(180.0, 1440.0), seed=n, simulation=f"{name}_{n}", varied=("omega_m", "sigma_8"), config={},
        )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Log-normal maps of sixteen cosmologies, and an emulator trained on half of them for one epoch."""
    folder = tmp_path_factory.mktemp("maps")
    write_map_files(folder / "maps", COSMOLOGIES, seed=1)
    (folder / "study.yaml").write_text(CONFIG)
    for command in (
        ["ingest", "massmaps", folder / "maps", "--out", folder / "data"],
        ["train", "emulator", folder / "data", "--out", folder / "network"],
    ):
        completed = tenfold(*command, "--config", folder / "study.yaml")
        assert completed.returncode == 0, completed.stderr
    return folder


def parameters(omega_m: float, sigma_8: float) -> list[str]:
    return ["--parameter", f"omega_m={omega_m}", "--parameter", f"sigma_8={sigma_8}"]


@pytest.mark.parametrize("ending", [".fits", ".h5"])
def test_maps_of_a_new_cosmology_are_written_with_their_parameters(study, tmp_path, ending):
    out = tmp_path / f"maps{ending}"
    options = ["--out", str(out), "--count", "3", "--seed", "7", *parameters(0.3, 0.8)]
    result = CliRunner().invoke(app, ["emulate", str(study / "network"), *options])
    assert result.exit_code == 0, result.output
    if ending == ".fits":
        with fits.open(out) as hdus:
            maps, header = np.array(hdus[0].data), hdus[0].header
        assert (header["OMEGA_M"], header["SIGMA_8"], header["ANGLE"]) == (0.3, 0.8, 2.0)
    else:
        with h5py.File(out) as file:
            maps, header = np.array(file["kappa"]), dict(file.attrs)
        assert (header["omega_m"], header["sigma_8"], header["angle_deg"]) == (0.3, 0.8, 2.0)
    assert maps.shape == (3, SIDE, SIDE)
    assert np.isfinite(maps).all()
    assert len({one.tobytes() for one in maps}) == 3


def test_emulated_maps_are_ingested_with_the_metadata_of_the_training_maps(study, tmp_path):
    wanted = {"omega_m": 0.1 + 0.2, "sigma_8": 0.8123456789012345}
    maps = {}
    for n, omega_m in enumerate((wanted["omega_m"], 0.31, 0.32)):
        emulate(study / "network", tmp_path / f"{n}.fits", 2, {**wanted, "omega_m": omega_m}, seed=n)
        emulate(study / "network", tmp_path / f"{n}.h5", 2, {**wanted, "omega_m": omega_m}, seed=n)
        with h5py.File(tmp_path / f"{n}.h5") as file:
            maps[f"{n}.fits"], attributes = np.array(file["kappa"]), dict(file.attrs)
    assert (attributes["redshifts"], attributes["angle_deg"], attributes["units"]) == (1.0, 2.0, "kappa")
    assert tuple(attributes["multipoles"]) == (180.0, 1440.0)
    config = MassMapIngest(processes=1, fractions=(0.4, 0.3, 0.3))
    ingest_massmaps(sorted(tmp_path.glob("*.fits")), tmp_path / "data", config)
    ingest_massmaps(sorted(tmp_path.glob("*.h5")), tmp_path / "again", config)
    folders = (tmp_path / "data", tmp_path / "again", study / "data")
    from_fits, from_hdf5, trained_on = (Manifest.read(folder / "manifest.json") for folder in folders)
    for fact in ("side_deg", "redshifts", "units", "multipoles", "parameter_names", "shape", "dtype", "periodic"):
        assert getattr(from_fits, fact) == getattr(from_hdf5, fact) == getattr(trained_on, fact)
    assert from_fits.simulations[0].parameters == {**trained_on.simulations[0].parameters, **wanted}
    with Shards.open(tmp_path / "data") as shards:
        for n, simulation in enumerate(from_fits.simulations):
            assert np.array_equal(shards.read(np.arange(2 * n, 2 * n + 2))[..., 0], maps[Path(simulation.source).name])
    with Shards.open(tmp_path / "again") as plain, Shards.open(tmp_path / "data") as shards:
        assert np.array_equal(plain.read(np.arange(6)), shards.read(np.arange(6)))
    header = fits.getheader(tmp_path / "0.fits")
    cosmology = {"H0": 70.0, "OMEGA_L": 1 - wanted["omega_m"], "W0": -1.0, "WA": 0.0, "Z": 1.0, "NS": 0.96}
    assert {key: header[key] for key in cosmology} == cosmology


def test_a_bundle_is_self_contained_and_an_incomplete_one_is_refused(study, tmp_path):
    bundle = Bundle.read(study / "network", "emulator")
    bundle.write(tmp_path / "mailed.tenfold")
    emulator = MassMapEmulator.load(tmp_path / "mailed.tenfold")
    assert (emulator.redshifts, emulator.multipoles, emulator.units) == ((1.0,), (180.0, 1440.0), "kappa")
    assert emulator.fixed.keys() == {"h", "n_s", "omega_b", "omega_k", "w_0", "w_a"}
    for name in ("units", "redshifts", "multipoles"):
        fields = {key: value for key, value in bundle.facts["fields"].items() if key != name}
        replace(bundle, facts={**bundle.facts, "fields": fields}).write(tmp_path / "poorer.tenfold")
        with pytest.raises(InputError, match=r"poorer\.tenfold: fields: .*Train again"):
            MassMapEmulator.load(tmp_path / "poorer.tenfold")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "maps.png", *parameters(0.3, 0.8)], ".fits or .h5"),
        (["--out", "maps.fits", *parameters(0.9, 0.8)], "omega_m"),
        (["--out", "maps.fits", "--parameter", "omega_m=0.3"], "sigma_8"),
        (["--out", "maps.fits", "--parameter", "omega_m:0.3"], "NAME=NUMBER"),
    ],
)
def test_a_refused_emulation_writes_nothing(study, tmp_path, arguments, message):
    arguments[1] = str(tmp_path / arguments[1])
    result = CliRunner().invoke(app, ["emulate", str(study / "network"), *arguments])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def blank_figures(monkeypatch) -> None:
    """Save empty files instead of figures, where other tests draw the same figures: drawing takes most of the time."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    monkeypatch.setattr(logging.getLogger("tenfold"), "handlers", [])  # the command's handlers end with it


def test_an_untrained_emulator_fails_its_acceptance_tests_and_the_failed_verdicts_are_named(study, blank_figures):
    completed = tenfold("validate", study / "network")
    assert completed.returncode == 0, completed.stderr  # with so few and small maps, no deviation is significant
    undecided = re.search("Undecided: (.*)", completed.stdout)
    assert (study / "network" / "report.html").read_text().count("<img ") > 30
    completed = CliRunner().invoke(app, ["validate", str(study / "network"), "--set", "acceptance.seed_margin=0"])
    assert completed.exit_code == 1, completed.output
    assert undecided
    assert f"Failed: {undecided[1]}" in completed.stdout
    metrics = json.loads((study / "network" / "metrics.json").read_text())
    verdicts = metrics["verdicts"]
    assert {"angular_power", "peaks_distribution", "minkowski_v1_scatter", "memorisation"} <= verdicts.keys()
    assert all({"value", "tolerance", "null", "passed"} <= verdict.keys() for verdict in verdicts.values())
    assert not metrics["passed"]
    assert metrics["bins"].keys() == {name for name in verdicts if f"{name}_scatter" in verdicts}
    for bins in metrics["bins"].values():
        assert len(bins["centres"]) == len(bins["deviation"]) == len(bins["p_values"])
    held = metrics["held_out"]["cosmologies"]
    assert len(held) >= 4
    assert all(row["distance"] > 0 and row["maps"] == MAPS for row in held.values())
    page = (study / "network" / "report.html").read_text()
    assert page.count("<img ") > 30
    assert "failed" in page


def test_settings_without_effect_on_the_acceptance_tests_are_refused(study):
    result = CliRunner().invoke(app, ["validate", str(study / "network"), "--set", "training.epochs=5"])
    assert isinstance(result.exception, InputError)
    assert "training.epochs=5: only the acceptance tests are configured" in str(result.exception)


@pytest.mark.parametrize(
    ("old", "new"),
    [("court.tolerance", "court: renamed to acceptance"),
     ("acceptance.variety_tolerance", "acceptance.variety_tolerance: renamed to acceptance.scatter_tolerance")],
)  # fmt: skip
def test_former_names_of_tolerances_are_refused_with_the_new_ones(study, old, new):
    result = CliRunner().invoke(app, ["validate", str(study / "network"), "--set", f"{old}=0.1"])
    assert isinstance(result.exception, InputError)
    assert new in str(result.exception)


def test_the_former_command_for_surrogates_is_refused_with_the_new_one():
    result = CliRunner().invoke(app, ["simulate", "twins", "boxes", "--out", "somewhere"])
    assert "renamed to tenfold simulate surrogates" in str(result.exception)


def test_newly_simulated_maps_replace_the_test_split_unless_they_were_trained_on(study, tmp_path, blank_figures):
    write_map_files(tmp_path / "maps", 30, seed=5, name="later")
    write_map_files(tmp_path / "wider", 3, seed=6, name="wider", side_deg=3.0)
    for name in ("maps", "wider"):
        ingest_massmaps([tmp_path / name], tmp_path / f"{name}_data", MassMapIngest(processes=1))
    report, _ = validate_massmaps(study / "network", unseen=tmp_path / "maps_data")
    assert report == study / "network" / "unseen" / "report.html"
    held = json.loads((report.parent / "metrics.json").read_text())["held_out"]
    assert len(held["cosmologies"]) + held["outside_range"] == 30
    assert all(name.startswith("later_") for name in held["cosmologies"])
    for unsuitable, message in ((tmp_path / "wider_data", "side_deg is 3.0"), (study / "data", "were trained on")):
        with pytest.raises(InputError, match=message):
            validate_massmaps(study / "network", unseen=unsuitable)


@pytest.fixture(scope="module")
def estimator(tmp_path_factory) -> Path:
    """Folder of an untrained estimator of maps."""
    folder = RunFolder(tmp_path_factory.mktemp("untrained") / "estimator")
    folder.create()
    return folder.path


def write_estimator(data: Path, estimator: Path, names: tuple[str, ...] = ("omega_m", "sigma_8")) -> None:
    fingerprint = Manifest.read(data / "manifest.json").fingerprint
    config = EstimatorConfig(
        architecture=CNN(
            dimensions=2, size=SIDE, transform="identity", filters=(4,), dense_units=(8,), readout="global"
        ),
        names=names, location=(0.3, 0.8), scale=(0.1, 0.1), mean=(0.0,), std=(0.02,), sigma_factor=(1.0, 1.0),
    )  # fmt: skip
    facts = {"fields": asdict(FieldProperties.of(Manifest.read(data / "manifest.json")))}
    Bundle.of("estimator", config, config.network(seed=1), facts).write(RunFolder(estimator).bundle)
    RunFolder(estimator).write_record(
        "estimator", {"names": names, "sigma_factor": [1.0, 1.0], "fingerprint": fingerprint}
    )


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """All figures that are saved during a test."""
    saved, save = [], Figure.savefig

    def record(figure, *arguments, **options):
        saved.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", record)
    return saved


def text_of(figure: Figure) -> str:
    """Return all text of a figure."""
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_the_report_shows_the_attributions_of_an_estimator(study, estimator, figures, tmp_path):
    write_estimator(study / "data", estimator)
    report, _ = validate_massmaps(study / "network", tmp_path / "out", estimator=estimator)
    assert len(figures) > 45
    assert {figure.get_supxlabel() for figure in figures} == {"trusted: ℓ = 180–1,440"}
    saliency = json.loads((tmp_path / "out" / "metrics.json").read_text())["saliency"]
    assert (saliency["method"], saliency["samples"]) == ("integrated-gradients", 3)
    for attributions in saliency["parameters"].values():
        assert sum(attributions["attribution_by_density"]) == pytest.approx(1)
        assert list(attributions["rank_correlation_by_randomised_layers"]) == [
            "out",
            "dense_0",
            "affine",
            "convolution_0",
        ]
    page = report.read_text()
    assert "Attributions of the estimator" in page
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)


def test_maps_without_an_angular_size_are_reported_in_their_own_units(study, estimator, figures, tmp_path):
    rng = np.random.default_rng(3)
    cosmologies = np.stack([rng.uniform(0.2, 0.4, 16), rng.uniform(0.6, 1.0, 16)], axis=1)
    maps = [lognormal(SIDE, sigma_8 - 0.3, -4 * omega_m - 1, MAPS, rng) for omega_m, sigma_8 in cosmologies]
    rows = []
    (tmp_path / "maps").mkdir()
    for n, (omega_m, sigma_8) in enumerate(cosmologies):
        np.save(tmp_path / "maps" / f"{n}.npy", maps[n][..., 0])
        rows.append({"file": f"{n}.npy", "Omega_m": omega_m, "sigma_8": sigma_8})
    table = write_table(tmp_path / "table.csv", rows)
    config = MassMapIngest(
        table=str(table), box_mpc_h=25.0, periodic=True, units="Σ", fractions=(0.4, 0.1, 0.5), processes=1
    )
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config)
    shutil.copytree(study / "network", tmp_path / "network")
    run = RunFolder(tmp_path / "network")
    manifest = Manifest.read(tmp_path / "data" / "manifest.json")
    record = {
        "data": str(tmp_path / "data"),
        "fingerprint": manifest.fingerprint,
        "low": [0.2, 0.6],
        "high": [0.4, 1.0],
    }
    record |= map_metadata(manifest, ("omega_m", "sigma_8"))
    run.write_record("emulator", run.read_record() | record)
    bundle = Bundle.read(study / "network", "emulator")
    ranges = {"omega_m": (0.2, 0.4), "sigma_8": (0.6, 1.0)}
    facts = {"fields": asdict(FieldProperties.of(manifest)), "parameters": {"ranges": ranges, "fixed": {}}}
    replace(bundle, facts={**bundle.facts, **facts}).write(run.bundle)
    write_estimator(study / "data", estimator)
    with pytest.raises(InputError, match="may have seen the emulator's test split"):
        validate_massmaps(run.path, tmp_path / "out", estimator=estimator)
    write_estimator(tmp_path / "data", estimator, ("n_s", "h"))
    with pytest.raises(InputError, match="estimates n_s, h, but the emulator takes omega_m, sigma_8"):
        validate_massmaps(run.path, tmp_path / "out", estimator=estimator)
    write_estimator(tmp_path / "data", estimator)
    report, _ = validate_massmaps(run.path, tmp_path / "out", estimator=estimator)
    page = report.read_text()
    assert "Maps of 25 Mpc/h per side" in page
    written = [text_of(figure) for figure in figures]
    for text in (page.split("Versions, seeds and times")[0], *written):
        assert not re.search("°|ℓ|κ|multipole|trusted", text.replace("starlet ℓ1-norm", ""))
    assert any("wavenumber k [h/Mpc]" in text and "P(k)" in text for text in written)
    assert any("Σ, 25 Mpc/h per side" in text for text in written)
