"""Training as users run it, under mpirun: the same weights for any number of ranks, and after any interruption."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner, Result

from tenfold.hpc import checkpoints
from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.simulation.boxes import write_box
from tenfold.pipelines.simulation.cosmology import sample_cosmologies
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
RANGES = {"omega_m": (0.1, 0.5), "sigma_8": (0.5, 1.0)}
BOX = {"box_mpc_h": 32.0, "particles": 8, "mesh_factor": 1, "steps": 1, "assignment": "ngp"}
CONFIG = """
network: {size: 8, filters: [4, 8], readout: global, dense_units: [8]}
training: {epochs: 1, global_batch: 4, warmup_epochs: 0.5, shifts: true, ema_decay: 0.9}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Nineteen boxes; the number of those to train on is odd, so that neither 2 nor 4 divides it."""
    folder = tmp_path_factory.mktemp("boxes")
    for number, cosmology in enumerate(sample_cosmologies(RANGES, 19, seed=3)):
        rng = np.random.default_rng(number)
        density = np.exp(cosmology.sigma_8 * rng.standard_normal(8**3))
        counts = rng.multinomial(8**3, density / density.sum()).reshape(8, 8, 8, 1).astype(np.int16)
        write_box(
            folder / f"box_{number:05d}.h5", counts, cosmology=cosmology, redshifts=(0.0,),
            seed=number, ranges=RANGES, universe=f"universe {number}", units="counts", config=BOX,
        )  # fmt: skip
    out = tmp_path_factory.mktemp("data") / "shards"
    ingest_volumes([folder], out, Ingest(processes=1, fractions=(0.7, 0.15, 0.15)))
    with Shards.open(out) as shards:
        assert len(shards.split("train")) % 2 == 1
    return out


def command(data: Path, out: Path, *options: str, ranks: int = 1) -> list[str]:
    config = out.with_name("config.yaml")
    config.write_text(CONFIG)
    train = [
        str(BIN / "tenfold"),
        "train",
        "estimator",
        str(data),
        "--out",
        str(out),
        "--config",
        str(config),
        *options,
    ]
    return [str(BIN / "mpirun"), "-np", str(ranks), *train] if ranks > 1 else train


def train(data: Path, out: Path, *options: str, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(data, out, *options, ranks=ranks), capture_output=True, text=True, timeout=900, check=False
    )


@pytest.fixture
def train_here(monkeypatch) -> Callable[..., Result]:
    """Run the command in this process: most of the time of a new one goes into loading TensorFlow."""
    monkeypatch.setattr(logging.getLogger("tenfold"), "handlers", [])  # the command's handlers end with it
    return lambda data, out, *options: CliRunner().invoke(app, command(data, out, *options)[1:])


def refusal(result: Result) -> str:
    """Message of the refusal that a command ended with."""
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


def weights(run: Path) -> dict[str, np.ndarray]:
    checkpoint = checkpoints.latest(run / "checkpoints")
    assert checkpoint is not None
    return checkpoint.arrays


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory) -> Path:
    """One epoch on one rank."""
    out = tmp_path_factory.mktemp("alone") / "run"
    completed = train(data, out)
    assert completed.returncode == 0, completed.stderr
    return out


@pytest.mark.ranks
@pytest.mark.parametrize("ranks", [2, 4])
def test_any_number_of_ranks_gives_the_same_weights(data, alone, tmp_path, ranks):
    completed = train(data, tmp_path / "run", ranks=ranks)
    assert completed.returncode == 0, completed.stderr
    one, many = weights(alone), weights(tmp_path / "run")
    assert one.keys() == many.keys()
    for name in one:
        np.testing.assert_allclose(many[name], one[name], rtol=1e-4, atol=2e-6, err_msg=name)


def test_a_run_leaves_what_validation_reads(data, alone):
    predictions = np.load(alone / "predictions.npz")
    assert list(predictions["names"]) == ["omega_m", "sigma_8"]
    with Shards.open(data) as shards:
        count = len(shards.split("test"))
    assert predictions["test_mean"].shape == predictions["test_sigma"].shape == (count, 2)
    assert (predictions["test_sigma"] > 0).all()
    assert set(predictions["test_simulation"]).isdisjoint(predictions["validation_simulation"])
    assert (alone / "history.csv").read_text().startswith("epoch,step,loss,validation_loss")
    assert list((alone / "tensorboard").glob("events.*"))


def test_a_second_run_in_the_same_folder_is_refused_and_a_finished_one_resumes_to_itself(data, alone, train_here):
    before = (alone / "run.json").read_bytes()
    assert "--resume" in refusal(train_here(data, alone))
    again = train_here(data, alone, "--resume")
    assert again.exit_code == 0, again.output
    assert (alone / "run.json").read_bytes() == before


def test_a_finished_run_is_not_taken_for_that_of_another_network_or_other_data(data, alone, tmp_path, train_here):
    before = {name: (alone / name).read_bytes() for name in ("run.json", "config.yaml")}
    assert "network.filters" in refusal(train_here(data, alone, "--resume", "--set", "network.filters=[4, 4]"))
    with Shards.open(data) as shards:
        boxes = Path(shards.manifest.simulations[0].source).parent
    ingest_volumes([boxes], tmp_path / "shards", Ingest(processes=1, fractions=(0.7, 0.15, 0.15), seed=5))
    assert "trained on other data" in refusal(train_here(tmp_path / "shards", alone, "--resume"))
    assert {name: (alone / name).read_bytes() for name in before} == before


@pytest.mark.ranks
def test_killing_a_rank_ends_all_and_resuming_gives_the_same_bits(data, tmp_path):
    longer = ("--set", "training.epochs=20", "--set", "training.checkpoint_steps=3")
    uninterrupted = train(data, tmp_path / "uninterrupted", *longer, ranks=2)
    assert uninterrupted.returncode == 0, uninterrupted.stderr

    out = tmp_path / "killed"
    with subprocess.Popen(
        command(data, out, *longer, ranks=2), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        while not list((out / "checkpoints").glob("*")):
            assert running.poll() is None, running.communicate()[0]
            time.sleep(0.005)
        family = psutil.Process(running.pid).children(recursive=True)
        (victim,) = [p for p in family if p.environ().get("PMI_RANK") == "1"]
        victim.send_signal(signal.SIGKILL)
        output, _ = running.communicate(timeout=300)
    assert running.returncode != 0
    assert "KILLED" in output.upper() or "EXIT CODE: 9" in output.upper(), output
    assert not (out / "run.json").exists()

    resumed = train(data, out, *longer, "--resume", ranks=2)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming at epoch" in resumed.stderr
    one, other = weights(tmp_path / "uninterrupted"), weights(out)
    for name in one:
        assert one[name].tobytes() == other[name].tobytes(), name
    assert np.load(out / "predictions.npz")["test_mean"].tobytes() == (
        np.load(tmp_path / "uninterrupted" / "predictions.npz")["test_mean"].tobytes()
    )


def test_fewer_mpi_ranks_than_the_launcher_promises_are_reported(data, tmp_path):
    environment = os.environ | {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}
    completed = subprocess.run(
        command(data, tmp_path / "run"), capture_output=True, text=True, timeout=600, env=environment, check=False
    )
    assert completed.returncode == 2
    assert "promised 4 ranks, but MPI found 1" in completed.stderr


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("network.size=16", "network.size=8"),
        ("network.channels=2", "network.channels=1"),
    ],
)
def test_a_network_that_does_not_fit_the_data_names_the_settings(data, tmp_path, setting, advice, train_here):
    assert advice in refusal(train_here(data, tmp_path / "run", "--set", setting))
