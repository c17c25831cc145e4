import numpy as np
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.simulation.lensing.config import estimate_size
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.volumes.shards import Shards


def test_a_dry_run_of_the_simulation_reports_its_size():
    arguments = ["--out", "nowhere", "--dry-run", "--count", "3", "--maps", "5", "--set", "simulation.pixels=32"]
    result = CliRunner().invoke(app, ["simulate", "massmaps", *arguments])
    assert result.exit_code == 0
    assert result.stdout.startswith("3 cosmologies, 15 maps")


def test_the_configuration_of_mass_maps_contains_that_of_the_ingest():
    result = CliRunner().invoke(app, ["config", "show", "--study", "massmaps"])
    assert result.exit_code == 0
    assert "camels_parameters" in result.stdout and "side_deg: 2.5" in result.stdout


def test_an_estimator_of_maps_takes_the_configuration_of_its_study():
    arguments = ["train", "estimator", "--study", "massmaps", "--preset", "demo", "--dry-run"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "64² × 1, identity" in result.stdout
    assert "cosmology, massmaps" in str(CliRunner().invoke(app, [*arguments, "--study", "stars"]).exception)


def test_dry_runs_of_the_emulator_and_of_the_study_write_nothing(tmp_path):
    result = CliRunner().invoke(app, ["train", "emulator", "--preset", "demo", "--dry-run"])
    assert result.exit_code == 0
    assert "64² × 1, cropped" in result.stdout and "omega_m, sigma_8" in result.stdout and "logistic" in result.stdout
    result = CliRunner().invoke(app, ["run", "massmaps", "--out", str(tmp_path / "study"), "--dry-run"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Simulate\n44 cosmologies, 4,928 maps")
    assert "64² × 1, cropped" in result.stdout and "64² × 1, identity" in result.stdout
    assert not (tmp_path / "study").exists()
    assert "--dry-run" in str(CliRunner().invoke(app, ["train", "emulator"]).exception)


def test_camels_maps_are_ingested_and_planned_by_commands(tmp_path):
    rng = np.random.default_rng(0)
    maps, table = tmp_path / "Maps_Mcdm_SIMBA_LH_z=0.00.npy", tmp_path / "params_LH_SIMBA.txt"
    np.save(maps, rng.standard_normal((120, 16, 16)).astype(np.float32))
    rows = np.ones((8, 6))
    rows[:, :2] = rng.uniform(0.3, 0.7, (8, 2))
    np.savetxt(table, rows)
    data = str(tmp_path / "data")
    ingest = ["ingest", "massmaps", str(maps), "--out", data, "--set=ingest.processes=1"]
    result = CliRunner().invoke(app, [*ingest, "--dry-run"])
    assert "--set ingest.camels_parameters=" in str(result.exception)
    parameters = f"--set=ingest.camels_parameters={table}"
    assert CliRunner().invoke(app, [*ingest, parameters]).exit_code == 0
    train = ["train", "emulator", data, "--dry-run", "--preset=demo"]
    train += ["--set=training.global_batch=8", "--set=training.epochs=5", "--set=training.moment_matching_steps=33"]
    result = CliRunner().invoke(app, [*train, "--set=network.size=16", "--set=network.critic_filters=[4, 8]"])
    with Shards.open(data) as shards:
        maps = len(shards.split("train"))
    assert f"{maps} train, " in result.stdout and f"5 epochs of {maps // 8} steps = {5 * (maps // 8)}" in result.stdout
    assert "moment matching 33 steps" in " ".join(result.stdout.split())
    assert "--set network.size=16" in str(CliRunner().invoke(app, train).exception)


def test_the_estimated_size_of_a_simulation_is_plausible():
    config = MassMapsRun().simulation
    assert estimate_size(config).cosmologies == config.count
    assert 5 < estimate_size(config).cpu_seconds / config.count < 100
