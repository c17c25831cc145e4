import numpy as np
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.simulation.lensing.config import estimate_size
from tenfold.pipelines.studies.massmaps_config import MassMapsRun
from tenfold.pipelines.volumes.shards import Shards


def test_simulate_says_what_it_would_take():
    asked = ["--out", "nowhere", "--dry-run", "--count", "3", "--maps", "5", "--set", "simulation.pixels=32"]
    told = CliRunner().invoke(app, ["simulate", "massmaps", *asked])
    assert told.exit_code == 0
    assert told.stdout.startswith("3 cosmologies, 15 maps")


def test_ingest_has_the_run_configuration():
    told = CliRunner().invoke(app, ["config", "show", "--study", "massmaps"])
    assert told.exit_code == 0
    assert "camels_parameters" in told.stdout and "side_deg: 2.5" in told.stdout


def test_the_estimator_of_maps_has_the_studys_configuration():
    asked = ["train", "estimator", "--study", "massmaps", "--preset", "demo", "--dry-run"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0
    assert "64² × 1, identity" in told.stdout
    assert "cosmology, massmaps" in str(CliRunner().invoke(app, [*asked, "--study", "stars"]).exception)


def test_dry_runs_of_the_emulator_and_of_the_study_make_nothing(tmp_path):
    told = CliRunner().invoke(app, ["train", "emulator", "--preset", "demo", "--dry-run"])
    assert told.exit_code == 0
    assert "64² × 1, cropped" in told.stdout and "omega_m, sigma_8" in told.stdout and "logistic" in told.stdout
    told = CliRunner().invoke(app, ["run", "massmaps", "--out", str(tmp_path / "study"), "--dry-run"])
    assert told.exit_code == 0
    assert told.stdout.startswith("Simulate\n44 cosmologies, 4,928 maps")
    assert "64² × 1, cropped" in told.stdout and "64² × 1, identity" in told.stdout
    assert not (tmp_path / "study").exists()
    assert "--dry-run" in str(CliRunner().invoke(app, ["train", "emulator"]).exception)


def test_camels_maps_by_commands_alone(tmp_path):
    rng = np.random.default_rng(0)
    maps, table = tmp_path / "Maps_Mcdm_SIMBA_LH_z=0.00.npy", tmp_path / "params_LH_SIMBA.txt"
    np.save(maps, rng.standard_normal((120, 16, 16)).astype(np.float32))
    rows = np.ones((8, 6))
    rows[:, :2] = rng.uniform(0.3, 0.7, (8, 2))
    np.savetxt(table, rows)
    data = str(tmp_path / "data")
    ingest = ["ingest", "massmaps", str(maps), "--out", data, "--set=ingest.processes=1"]
    told = CliRunner().invoke(app, [*ingest, "--dry-run"])
    assert "--set ingest.camels_parameters=" in str(told.exception)
    known = f"--set=ingest.camels_parameters={table}"
    assert CliRunner().invoke(app, [*ingest, known]).exit_code == 0
    train = ["train", "emulator", data, "--dry-run", "--preset=demo"]
    train += ["--set=training.global_batch=8", "--set=training.epochs=5", "--set=training.moment_matching_steps=33"]
    told = CliRunner().invoke(app, [*train, "--set=network.size=16", "--set=network.critic_filters=[4, 8]"])
    with Shards.open(data) as shards:
        maps = len(shards.split("train"))
    assert f"{maps} train, " in told.stdout and f"5 epochs of {maps // 8} steps = {5 * (maps // 8)}" in told.stdout
    assert "moment matching 33 steps" in " ".join(told.stdout.split())
    assert "--set network.size=16" in str(CliRunner().invoke(app, train).exception)


def test_more_maps_take_longer():
    config = MassMapsRun().simulation
    assert estimate_size(config).cosmologies == config.count
    assert 5 < estimate_size(config).cpu_seconds / config.count < 100
