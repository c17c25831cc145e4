"""The training of an emulator of mass maps: any number of ranks, any interruption, the best epoch kept."""

import csv
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

BIN = Path(sys.executable).parent


def weights(run: Path) -> dict[str, np.ndarray]:
    checkpoint = checkpoints.latest(run / "checkpoints")
    assert checkpoint is not None
    return checkpoint.arrays


def finished(run: Path) -> list[np.ndarray]:
    """Weights of the generator that was kept, calibrated and settled."""
    return MassMapEmulator.load(run).network.get_weights()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Two epochs without interruption."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train_lognormal.train(out, 2)
    return out


def test_killed_and_resumed_it_ends_with_the_same_samples_to_the_bit(whole, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(train_lognormal.Killed):
        train_lognormal.train(out, 2, steps=9)
    assert not (out / "run.json").exists()
    train_lognormal.train(out, 2)
    assert (out / "samples.png").read_bytes() == (whole / "samples.png").read_bytes()
    one, other = weights(whole), weights(out)
    for name in one:
        assert one[name].tobytes() == other[name].tobytes(), name
    assert any(name.startswith("critic_optimizer/") for name in one)
    for weight, same in zip(finished(whole), finished(out), strict=True):
        assert weight.tobytes() == same.tobytes()


def test_the_epoch_with_the_best_statistics_is_kept_not_the_last(whole):
    with (whole / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["map_score"]) for row in rows]
    assert scores == [float(row["validation_loss"]) for row in rows]
    record = RunFolder(whole).read_record()
    assert record["best_epoch"] == 1 + int(np.argmin(scores))
    assert record["score"]["score"] == min(scores)
    assert {"generator_loss", "wasserstein", "penalty", "map_pdf", "map_power"} <= rows[0].keys()
    assert list((whole / "tensorboard").glob("events.*"))


@pytest.mark.ranks
def test_two_ranks_train_the_same_pair_as_one(whole, tmp_path):
    script = Path(train_lognormal.__file__)
    done = subprocess.run(
        [str(BIN / "mpirun"), "-np", "2", sys.executable, str(script), str(tmp_path / "run"), "2"],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = weights(whole), weights(tmp_path / "run")
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-2, atol=2e-4, err_msg=name)
    for of_one, of_two in zip(finished(whole), finished(tmp_path / "run"), strict=True):
        np.testing.assert_allclose(of_two, of_one, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "training", "ranks", "said"),
    [
        ({"size": 32}, {}, 1, "network.size=16"),
        ({"conditions": 1}, {}, 1, "network.conditions=2"),
        ({"boundary": "cropped"}, {}, 1, "training.shifts=false"),
        ({}, {"global_batch": 14}, 4, "multiple of network.group_size"),
        ({}, {"global_batch": 128}, 1, "holds 96 maps"),
    ],
)
def test_what_does_not_fit_the_data_names_the_settings(tmp_path, network, training, ranks, said):
    with pytest.raises(InputError, match=said):
        MassMapTraining(
            LognormalMaps(), RunFolder(tmp_path), replace(train_lognormal.NETWORK, **network),
            train_lognormal.training(1, **training), Ranks(size=ranks),
        )  # fmt: skip


@pytest.mark.parametrize("changes", [{"boundary": "periodic"}, {"boundary": "cropped"}])
def test_maps_that_end_at_their_edges_are_neither_wrapped_nor_shifted(tmp_path, changes):
    data = LognormalMaps()
    data.manifest.periodic = False
    for shifts in (True, False):
        training = train_lognormal.training(1, shifts=shifts)
        begin = partial(
            MassMapTraining, data, RunFolder(tmp_path), replace(train_lognormal.NETWORK, **changes), training, Ranks()
        )
        if changes["boundary"] == "cropped" and not shifts:
            assert begin().steps == 6
        else:
            with pytest.raises(InputError, match=r"network\.boundary=cropped --set training\.shifts=false"):
                begin()


def test_the_batch_of_a_step_does_not_depend_on_the_number_of_ranks(tmp_path):
    task = MassMapTraining(
        LognormalMaps(), RunFolder(tmp_path), train_lognormal.NETWORK, train_lognormal.training(1), Ranks()
    )
    alone = list(task.batches(Position(0, 2)))
    parts = []
    for rank in range(2):
        task.ranks = Ranks(size=2, rank=rank)
        parts.append(list(task.batches(Position(0, 2))))
    assert len(alone) == len(parts[0]) == 4
    for (one, count), (first, _), (second, _) in zip(alone, *parts, strict=True):
        assert count == 16
        assert one[-1]  # the penalty is taken
        for whole, a, b in zip(*((maps, *inputs.values(), mix, weights)
                                 for maps, inputs, mix, weights, _ in (one, first, second)), strict=True):  # fmt: skip
            assert (np.concatenate([a, b]) == whole).all()


def test_maps_like_the_simulated_score_next_to_nothing_and_each_fault_is_found():
    rng = np.random.default_rng(0)
    pairs = ((0.6, -1.0), (0.7, -1.0))
    parameters = np.repeat(pairs, 64, axis=0)
    numbers = group_by_parameters(parameters)
    assert list(np.unique(numbers)) == [0, 1]

    def fields():
        return np.concatenate([lognormal(32, a, s, 64, rng) for a, s in pairs])

    simulated, other = fields(), fields()
    reference = measure(simulated, numbers)
    fair = compare(measure(other, numbers), reference)
    assert fair["score"] < 0.5
    assert compare(reference, reference)["score"] == 0
    faults = {
        "mean": other + 0.5 * other.std(),
        "std": 1.5 * other,
        "pdf": -other,
        "power": other + other.std() * rng.standard_normal(other.shape),
        "scatter": np.repeat(other[::64], 64, axis=0),
    }
    for name, maps in faults.items():
        assert compare(measure(maps.astype(np.float32), numbers), reference)[name] > 3 * fair[name] + 0.02, name
    lifted = (0.01 + 1.5 * other).astype(np.float32)  # what a calibration sets right, and no more
    as_is, set_right = (compare(measure(maps, numbers), reference, calibrated=True) for maps in (lifted, other))
    assert as_is["score"] == pytest.approx(set_right["score"], rel=0.02)
    assert compare(measure(-other, numbers), reference, calibrated=True)["score"] > 3 * set_right["score"]


def test_a_wave_is_in_its_own_band_alone():
    x = np.arange(32) / 32
    wave = np.cos(2 * np.pi * 5 * x)[None, None] * np.ones((1, 32, 1))
    bands = band_powers(wave)[0]
    assert (bands > 1e-6).sum() == 1
    white = np.random.default_rng(0).standard_normal((200, 32, 32))
    np.testing.assert_allclose(band_powers(white).mean(0), 32**2, rtol=0.1)
