"""Use of an emulator: reproducible samples, and no extrapolation unless requested."""

from dataclasses import asdict

import numpy as np
import pytest
from tests.pipelines.emulator.lognormal import RANGES
from tests.pipelines.emulator.train_lognormal import NETWORK

from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel
from tenfold.pipelines.emulator.config import GeneratorConfig
from tenfold.pipelines.emulator.emulator import MassMapEmulator, ParameterSpace
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.volumes.provenance import FieldProperties

INSIDE = {"amplitude": 0.5, "slope": -2.0}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory) -> MassMapEmulator:
    """Emulator of a random network, whose maps depend on all inputs as those of a trained one do."""
    model = LognormalModel.white_noise(16, IntensityTransform((-0.01,), (0.01,), (0.8,), (0.7,)), (0.5, -2), (0.1, 0.3))
    config = GeneratorConfig.from_lognormal_model(NETWORK, model, "float32")
    network, rng = config.network(seed=1), np.random.default_rng(1)
    for variable in network.variables:
        variable.assign(np.asarray(variable) + 0.1 * rng.standard_normal(variable.shape))
    fields = FieldProperties(
        units="kappa", mean=0.0, box_mpc_h=None, side_deg=2.0, periodic=True, redshifts=(1.0,), multipoles=None
    )
    facts = {"fields": asdict(fields), "parameters": asdict(ParameterSpace(ranges=RANGES, fixed={}))}
    path = tmp_path_factory.mktemp("emulator") / "bundle.tenfold"
    Bundle.of("emulator", config, network, facts).write(path)
    return MassMapEmulator.load(path)


def test_maps_have_an_angular_size(emulator):
    maps = emulator.sample(3, seed=1, **INSIDE)
    assert maps.shape == (3, 16, 16)
    assert maps.dtype == np.float32
    assert emulator.side_deg == 2.0
    assert emulator.pixel_arcmin == 2.0 * 60 / 16
    assert list(emulator.ranges) == ["amplitude", "slope"]


def test_the_same_seed_gives_the_same_maps_whatever_their_number(emulator):
    maps = emulator.sample(40, seed=1, **INSIDE)
    assert (emulator.sample(3, seed=1, **INSIDE) == maps[:3]).all()
    assert (emulator.sample(3, seed=2, **INSIDE) != maps[:3]).any()
    assert len(np.unique(maps.reshape(40, -1), axis=0)) == 40


def test_parameters_are_single_numbers_or_one_per_map(emulator):
    maps = emulator.sample(2, seed=1, amplitude=[0.5, 0.6], slope=-2.0)
    assert (maps[0] == emulator.sample(1, seed=1, **INSIDE)[0]).all()
    assert (maps[1] != emulator.sample(2, seed=1, **INSIDE)[1]).any()


def test_interpolation_starts_and_ends_with_the_maps_of_the_seeds(emulator):
    maps = emulator.interpolate(5, seeds=(1, 2), **INSIDE)
    assert maps.shape == (5, 16, 16)
    for end, seed in ((0, 1), (-1, 2)):
        np.testing.assert_allclose(maps[end], emulator.sample(1, seed=seed, **INSIDE)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"amplitude": 0.5}, "slope: missing"),
        ({**INSIDE, "omega_m": 0.3}, "omega_m: is not a parameter"),
        ({"amplitude": 5.0, "slope": -2.0}, "amplitude: found 5, but the emulator was trained between"),
        ({"amplitude": float("nan"), "slope": -2.0}, "amplitude: found nan"),
        ({"amplitude": [0.5, 0.5, 0.5], "slope": -2.0}, "one for each of 2 maps"),
    ],
)
def test_missing_unknown_and_out_of_range_parameters_are_refused(emulator, parameters, message):
    with pytest.raises(InputError, match=message):
        emulator.sample(2, seed=1, **parameters)


def test_extrapolation_must_be_requested(emulator):
    with pytest.raises(InputError, match=r"extrapolate=True \(--extrapolate\)"):
        emulator.sample(1, seed=1, amplitude=0.9, slope=-2.0)
    assert emulator.sample(1, seed=1, amplitude=0.9, slope=-2.0, extrapolate=True).shape == (1, 16, 16)


def test_a_folder_without_an_emulator_is_named(tmp_path):
    with pytest.raises(InputError, match=r"run\.json"):
        MassMapEmulator.load(tmp_path)
