from typer.testing import CliRunner

from tenfold.pipelines.cli import app
from tenfold.pipelines.massmaps.mass_maps import estimate_size
from tenfold.pipelines.studies.massmaps_config import MassMapsRun


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


def test_more_maps_take_longer():
    config = MassMapsRun().simulation
    assert estimate_size(config).cosmologies == config.count
    assert 5 < estimate_size(config).cpu_seconds / config.count < 100
