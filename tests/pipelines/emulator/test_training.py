"""Training of an emulator of mass maps: independent of ranks and interruptions, and the best epoch is kept."""

import csv
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.emulator import train_lognormal
from tests.pipelines.emulator.lognormal import LognormalMaps, lognormal

from tenfold.emulators.training import Position
from tenfold.hpc import checkpoints
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.emulator.running_statistics import band_powers, compare, group_by_parameters, measure
from tenfold.pipelines.emulator.training import MassMapTraining
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.training.run_folder import RunFolder

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


def checkpoint_arrays(run: Path) -> dict[str, np.ndarray]:
    checkpoint = checkpoints.latest(run / "checkpoints")
    assert checkpoint is not None
    return checkpoint.arrays


def generator_weights(run: Path) -> list[np.ndarray]:
    """Weights of the generator that was kept, after calibration and moment matching."""
    return MassMapEmulator.load(run).network.get_weights()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    """Run of two epochs without interruption; ``after_9_steps`` beside it is what a run killed then leaves."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    train_lognormal.train(folder / "run", 2, copies={9: folder / "after_9_steps"})
    return folder / "run"


def test_a_resumed_training_ends_with_bit_identical_weights_and_samples(uninterrupted, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(uninterrupted.with_name("after_9_steps"), out)
    assert not (out / "run.json").exists()
    assert [path.name for path in (out / "checkpoints").glob("step-*")] != []
    train_lognormal.train(out, 2)
    assert (out / "samples.png").read_bytes() == (uninterrupted / "samples.png").read_bytes()
    expected, resumed = checkpoint_arrays(uninterrupted), checkpoint_arrays(out)
    for name in expected:
        assert expected[name].tobytes() == resumed[name].tobytes(), name
    assert any(name.startswith("critic_optimizer/") for name in expected)
    for weight, resumed_weight in zip(generator_weights(uninterrupted), generator_weights(out), strict=True):
        assert weight.tobytes() == resumed_weight.tobytes()


def test_the_epoch_with_the_best_running_statistics_is_kept(uninterrupted):
    with (uninterrupted / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["map_score"]) for row in rows]
    assert scores == [float(row["validation_loss"]) for row in rows]
    record = RunFolder(uninterrupted).read_record()
    assert record["best_epoch"] == 1 + int(np.argmin(scores))
    assert record["score"]["score"] == min(scores)
    assert {"generator_loss", "wasserstein", "penalty", "map_pdf", "map_power"} <= rows[0].keys()
    assert list((uninterrupted / "tensorboard").glob("events.*"))


def test_a_trained_emulator_has_the_ranges_and_the_angular_size_of_its_maps(uninterrupted):
    emulator = MassMapEmulator.load(uninterrupted)
    inside = {"amplitude": 0.5, "slope": -2.0}
    assert list(emulator.ranges) == list(inside)
    assert all(low < inside[name] < high for name, (low, high) in emulator.ranges.items())
    assert emulator.side_deg == 2.0


@pytest.mark.ranks
def test_two_ranks_train_the_same_networks_as_one(uninterrupted, tmp_path):
    script = Path(train_lognormal.__file__)
    completed = subprocess.run(
        [str(BIN / "mpirun"), "-np", "2", sys.executable, str(script), str(tmp_path / "run"), "2"],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    one, two = checkpoint_arrays(uninterrupted), checkpoint_arrays(tmp_path / "run")
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-2, atol=2e-4, err_msg=name)
    for weight_of_one, weight_of_two in zip(
        generator_weights(uninterrupted), generator_weights(tmp_path / "run"), strict=True
    ):
        np.testing.assert_allclose(weight_of_two, weight_of_one, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "training", "ranks", "message"),
    [
        ({"size": 32}, {}, 1, "network.size=16"),
        ({"conditions": 1}, {}, 1, "network.conditions=2"),
        ({"boundary": "cropped"}, {}, 1, "training.shifts=false"),
        ({}, {"global_batch": 14}, 4, "multiple of network.group_size"),
        ({}, {"global_batch": 128}, 1, "holds 96 maps"),
    ],
)
def test_a_mismatch_with_the_data_names_the_settings_to_change(tmp_path, network, training, ranks, message):
    with pytest.raises(InputError, match=message):
        MassMapTraining(
            LognormalMaps(), RunFolder(tmp_path), replace(train_lognormal.NETWORK, **network),
            train_lognormal.training(1, **training), Ranks(size=ranks),
        )  # fmt: skip


@pytest.mark.parametrize("changes", [{"boundary": "periodic"}, {"boundary": "cropped"}])
def test_non_periodic_maps_are_refused_by_periodic_networks_and_shifts(tmp_path, changes):
    data = LognormalMaps()
    data.manifest.periodic = False
    for shifts in (True, False):
        training = train_lognormal.training(1, shifts=shifts)
        create = partial(
            MassMapTraining, data, RunFolder(tmp_path), replace(train_lognormal.NETWORK, **changes), training, Ranks()
        )
        if changes["boundary"] == "cropped" and not shifts:
            assert create().steps == 6
        else:
            with pytest.raises(InputError, match=r"network\.boundary=cropped --set training\.shifts=false"):
                create()


def test_the_batch_of_a_step_does_not_depend_on_the_number_of_ranks(tmp_path):
    task = MassMapTraining(
        LognormalMaps(), RunFolder(tmp_path), train_lognormal.NETWORK, train_lognormal.training(1), Ranks()
    )
    single = list(task.batches(Position(0, 2)))
    halves = []
    for rank in range(2):
        task.ranks = Ranks(size=2, rank=rank)
        halves.append(list(task.batches(Position(0, 2))))
    assert len(single) == len(halves[0]) == 4
    for (full, count), (first, _), (second, _) in zip(single, *halves, strict=True):
        assert count == 16
        assert full[-1]  # the penalty is evaluated
        arrays = [(maps, *inputs.values(), mix, weights) for maps, inputs, mix, weights, _ in (full, first, second)]
        for expected, a, b in zip(*arrays, strict=True):
            assert (np.concatenate([a, b]) == expected).all()


def test_each_statistic_detects_its_fault_and_equal_distributions_score_near_zero():
    rng = np.random.default_rng(0)
    points = ((0.6, -1.0), (0.7, -1.0))
    parameters = np.repeat(points, 64, axis=0)
    groups = group_by_parameters(parameters)
    assert list(np.unique(groups)) == [0, 1]

    def draw_maps():
        return np.concatenate([lognormal(32, a, s, 64, rng) for a, s in points])

    simulated, other = draw_maps(), draw_maps()
    reference = measure(simulated, groups)
    equal = compare(measure(other, groups), reference)
    assert equal["score"] < 0.5
    assert compare(reference, reference)["score"] == 0
    faults = {
        "mean": other + 0.5 * other.std(),
        "std": 1.5 * other,
        "pdf": -other,
        "power": other + other.std() * rng.standard_normal(other.shape),
        "scatter": np.repeat(other[::64], 64, axis=0),
    }
    for name, maps in faults.items():
        assert compare(measure(maps.astype(np.float32), groups), reference)[name] > 3 * equal[name] + 0.02, name
    rescaled = (0.01 + 1.5 * other).astype(np.float32)  # errors that the calibration removes
    before, after = (compare(measure(maps, groups), reference, calibrated=True) for maps in (rescaled, other))
    assert before["score"] == pytest.approx(after["score"], rel=0.02)
    assert compare(measure(-other, groups), reference, calibrated=True)["score"] > 3 * after["score"]


def test_a_plane_wave_has_power_in_one_band_only():
    x = np.arange(32) / 32
    wave = np.cos(2 * np.pi * 5 * x)[None, None] * np.ones((1, 32, 1))
    bands = band_powers(wave)[0]
    assert (bands > 1e-6).sum() == 1
    white = np.random.default_rng(0).standard_normal((200, 32, 32))
    np.testing.assert_allclose(band_powers(white).mean(0), 32**2, rtol=0.1)
