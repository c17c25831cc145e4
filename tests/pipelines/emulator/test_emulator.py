"""The emulator as a cosmologist uses it: the same seed the same map, and no map it was never taught to make."""

import numpy as np
import pytest
from tests.pipelines.emulator import train_lognormal

from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.errors import InputError

INSIDE = {"amplitude": 0.5, "slope": -2.0}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory) -> MassMapEmulator:
    out = tmp_path_factory.mktemp("emulator") / "run"
    train_lognormal.train(out, 1)
    emulator = MassMapEmulator.load(out)
    assert all(low < INSIDE[name] < high for name, (low, high) in emulator.ranges.items())
    return emulator


def test_maps_have_a_size_on_the_sky(emulator):
    maps = emulator.sample(3, seed=1, **INSIDE)
    assert maps.shape == (3, 16, 16)
    assert maps.dtype == np.float32
    assert emulator.side_deg == 2.0
    assert emulator.pixel_arcmin == 2.0 * 60 / 16
    assert list(emulator.ranges) == ["amplitude", "slope"]


def test_the_same_seed_makes_the_same_maps_and_more_of_them_begin_alike(emulator):
    maps = emulator.sample(40, seed=1, **INSIDE)
    assert (emulator.sample(3, seed=1, **INSIDE) == maps[:3]).all()
    assert (emulator.sample(3, seed=2, **INSIDE) != maps[:3]).any()
    assert len(np.unique(maps.reshape(40, -1), axis=0)) == 40


def test_parameters_are_one_for_all_maps_or_one_for_each(emulator):
    each = emulator.sample(2, seed=1, amplitude=[0.5, 0.6], slope=-2.0)
    assert (each[0] == emulator.sample(1, seed=1, **INSIDE)[0]).all()
    assert (each[1] != emulator.sample(2, seed=1, **INSIDE)[1]).any()


def test_interpolation_begins_and_ends_with_the_seeds_own_maps(emulator):
    way = emulator.interpolate(5, seeds=(1, 2), **INSIDE)
    assert way.shape == (5, 16, 16)
    for end, seed in ((0, 1), (-1, 2)):
        np.testing.assert_allclose(way[end], emulator.sample(1, seed=seed, **INSIDE)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"amplitude": 0.5}, "slope: missing"),
        ({**INSIDE, "omega_m": 0.3}, "omega_m: not a parameter"),
        ({"amplitude": 5.0, "slope": -2.0}, "amplitude: found 5, but the emulator was trained between"),
        ({"amplitude": float("nan"), "slope": -2.0}, "amplitude: found nan"),
        ({"amplitude": [0.5, 0.5, 0.5], "slope": -2.0}, "one for each of 2 maps"),
    ],
)
def test_what_it_cannot_answer_for_is_refused(emulator, given, said):
    with pytest.raises(InputError, match=said):
        emulator.sample(2, seed=1, **given)


def test_out_of_range_it_answers_only_when_told_to(emulator):
    with pytest.raises(InputError, match=r"extrapolate=True \(--extrapolate\)"):
        emulator.sample(1, seed=1, amplitude=0.9, slope=-2.0)
    assert emulator.sample(1, seed=1, amplitude=0.9, slope=-2.0, extrapolate=True).shape == (1, 16, 16)


def test_a_folder_without_an_emulator_is_named(tmp_path):
    with pytest.raises(InputError, match=r"run\.json"):
        MassMapEmulator.load(tmp_path)
