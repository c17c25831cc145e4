"""The command line: what it promises without data, and how it fails."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app

TENFOLD = str(Path(sys.executable).parent / "tenfold")


def tenfold(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TENFOLD, *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_dry_run_of_the_mlperf_network_needs_no_data():
    completed = tenfold("train", "estimator", "--preset", "cosmoflow-mlperf", "--dry-run")
    assert completed.returncode == 0, completed.stderr
    assert "8,907,816" in completed.stdout
    assert completed.stderr == ""


def test_dry_run_of_a_simulation_writes_nothing(tmp_path):
    completed = tenfold("simulate", "volumes", "--count", "10", "--out", str(tmp_path / "boxes"), "--dry-run")
    assert completed.returncode == 0, completed.stderr
    assert "10" in completed.stdout
    assert not (tmp_path / "boxes").exists()


def test_dry_runs_of_chemistry_report_labels_inputs_and_targets(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("smiles,logS\nCCO,1.1\n")
    for arguments, expected in (
        (["run", "chemistry"], ("2,000, mixed", "CO, CC=O", "homo, lumo, gap, dipole", "painn")),
        (["ingest", "molecules", str(table), "--target", "logS"], ("1, 0.0 MB", "logS")),
        (["simulate", "molecules", "--count=3"], ("3, mixed",)),
    ):
        result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "study"), "--dry-run"])
        assert result.exit_code == 0 and all(text in result.stdout for text in expected)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("study", ["cosmology", "chemistry"])
def test_config_show_prints_a_file_that_config_validate_accepts(study, tmp_path):
    shown = tenfold("config", "show", "--study", study, "--preset", "demo", "--set", "training.epochs=3")
    assert "epochs: 3" in shown.stdout
    file = tmp_path / "study.yaml"
    file.write_text(shown.stdout)
    assert tenfold("config", "validate", "--study", study, str(file)).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("config", "show", "--set", "training.epohcs=3"), "did you mean epochs?"),
        (("validate", "/nowhere"), "train first, `tenfold train --help`"),
        (("train", "estimator", "/nowhere", "--out", "/proc/run"), "/proc/run"),
        (("simulate", "volumes", "--count", "1", "--out", "/proc/boxes"), "/proc/boxes"),
        (("ingest", "volumes", "/nowhere", "--out", "/tmp"), "/nowhere"),
        (("train", "estimator"), "--out"),
    ],
)
def test_invalid_commands_are_reported_in_one_line_with_status_2(arguments, message):
    completed = tenfold(*arguments)
    assert completed.returncode == 2
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
