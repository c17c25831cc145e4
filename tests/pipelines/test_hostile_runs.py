"""Run folders of unknown origin: nothing in them is executed, and what tenfold did not write is refused by name."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN
from tenfold.emulators.gan import GAN
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel
from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.emulator.config import GeneratorConfig
from tenfold.pipelines.emulator.emulator import MassMapEmulator, ParameterSpace
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator, EstimatorConfig
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run_folder import RunFolder, RunKind
from tenfold.pipelines.volumes.provenance import FieldProperties

pytestmark = pytest.mark.slow

ESTIMATOR = EstimatorConfig(
    architecture=CNN(dimensions=2, size=8, filters=(4,), dense_units=(8,), transform="identity"),
    names=("omega_m", "sigma_8"), location=(0.3, 0.8), scale=(0.1, 0.1), mean=(0.0,), std=(0.02,),
    sigma_factor=(1.5, 0.5),
)  # fmt: skip
SHAPE = GAN(size=16, latent_dim=8, filters=(4, 8), critic_filters=(4,), style_dim=8, conditions=2, group_size=2)
KAPPA = IntensityTransform((-0.01,), (0.01,), (0.8,), (0.7,))
GUESS = LognormalModel.white_noise(16, KAPPA, (0.3, 0.8), (0.1, 0.1))
EMULATOR = GeneratorConfig.from_lognormal_model(SHAPE, GUESS, "float32")
FIELDS = asdict(FieldProperties(
    units="kappa", mean=0.0, box_mpc_h=None, side_deg=2.0, periodic=True, redshifts=(1.0,), multipoles=(180.0, 1440.0),
))  # fmt: skip
PARAMETERS = asdict(ParameterSpace(ranges={"omega_m": (0.1, 0.5), "sigma_8": (0.6, 1.0)}, fixed={"h": 0.7}))
FACTS: dict[RunKind, dict[str, Any]] = {
    "estimator": {"fields": FIELDS},
    "emulator": {"fields": FIELDS, "parameters": PARAMETERS},
}
LOAD: dict[RunKind, Callable[[Path], Any]] = {"estimator": Estimator.load, "emulator": MassMapEmulator.load}
CONFIGS: dict[RunKind, Any] = {"estimator": ESTIMATOR, "emulator": EMULATOR}


@cache
def untrained(kind: RunKind) -> Bundle:
    """Bundle of a small network."""
    return Bundle.of(kind, CONFIGS[kind], CONFIGS[kind].network(seed=3), FACTS[kind])


def made(path: Path, kind: RunKind) -> RunFolder:
    """A finished run of a small network."""
    folder = RunFolder(path)
    folder.create()
    untrained(kind).write(folder.bundle)
    folder.write_record(kind, {})
    return folder


def hostile(path: Path, function: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Write a Keras file whose one layer is a Lambda that calls a function of Keras itself."""
    input_layer = {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "i"}}
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "dtype": "float32",
                                                           "keras_history": ["i", 0, 0]}}  # fmt: skip
    layer = {
        "module": "keras.layers", "class_name": "Lambda", "registered_name": None, "name": "l",
        "config": {"name": "l", "trainable": True, "dtype": "float32", "function": function, "arguments": arguments},
        "inbound_nodes": [{"args": [tensor], "kwargs": {}}],
    }  # fmt: skip
    first = {"module": "keras.layers", "registered_name": None, "name": "i", "inbound_nodes": [], **input_layer}
    model = {
        "module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
        "config": {"name": "m", "trainable": True, "layers": [first, layer],
                   "input_layers": [["i", 0, 0]], "output_layers": [["l", 0, 0]]},
    }  # fmt: skip
    weights = io.BytesIO()
    with h5py.File(weights, "w"):
        pass
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.8.0", "date_saved": "2025-01-01@00:00:00"}))
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("model.weights.h5", weights.getvalue())


def gallery(path: Path, target: Path) -> None:
    function = {"module": "keras.visualization", "class_name": "function", "config": "plot_image_gallery",
                "registered_name": "function"}  # fmt: skip
    hostile(path, function, {"path": str(target), "rows": 1, "cols": 1, "value_range": [0, 1]})


def floats(path: Path, target: Path) -> None:
    function = {"module": "keras.config", "class_name": "function", "config": "set_floatx",
                "registered_name": "function"}  # fmt: skip
    hostile(path, function, {"value": "float64"})


@pytest.mark.parametrize("attack", [gallery, floats])
@pytest.mark.parametrize("kind", ["estimator", "emulator"])
def test_a_keras_file_is_not_read(tmp_path, kind, attack):
    folder = made(tmp_path / "run", kind)
    attack(folder.path / "network.keras", tmp_path / "written.png")
    before = sorted(tmp_path.rglob("*"))
    LOAD[kind](folder.path)  # beside ours it does not matter
    folder.bundle.unlink()
    before.remove(folder.bundle)
    with pytest.raises(InputError, match=r"network\.keras: was written by an earlier version of tenfold.* Train again"):
        LOAD[kind](folder.path)
    assert sorted(tmp_path.rglob("*")) == before
    assert keras.config.floatx() == "float32"


@pytest.mark.parametrize("attack", [gallery, floats])
@pytest.mark.parametrize("kind", ["estimator", "emulator"])
def test_a_keras_file_named_as_a_bundle_is_not_read(tmp_path, kind, attack):
    folder = made(tmp_path / "run", kind)
    attack(folder.bundle, tmp_path / "written.png")
    with pytest.raises(InputError, match=r"bundle\.tenfold: cannot be read as a trained network"):
        LOAD[kind](folder.path)
    assert not (tmp_path / "written.png").exists()
    assert keras.config.floatx() == "float32"


def test_a_restored_estimator_gives_bit_identical_estimates(tmp_path):
    folder = made(tmp_path / "run", "estimator")
    maps = np.random.default_rng(0).normal(0, 0.02, (11, 8, 8, 1)).astype(np.float32)
    before = Estimator(ESTIMATOR.network(seed=3), ESTIMATOR.names, np.array([1.5, 0.5])).predict(maps, views=8)
    for one, other in zip(before, Estimator.load(folder.path).predict(maps, views=8), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    "change", [{}, {"boundary": "cropped"}, {"network": "dcgan", "filters": (8, 4), "style_dim": GAN.style_dim}]
)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_restored_emulator_generates_bit_identical_maps(tmp_path, change, precision):
    """All fitted quantities differ from their initial values, as after training and calibration."""
    rng, shape = np.random.default_rng(1), replace(SHAPE, **change)

    def off(values: np.ndarray) -> np.ndarray:
        return values + 0.1 * rng.standard_normal(np.shape(values))

    guess = replace(
        GUESS, logarithmic=(True, False), location=(-1.2, 0.8), ln_sigma=off(GUESS.ln_sigma), mean=off(GUESS.mean),
        ln_power=off(GUESS.ln_power), knots=GUESS.knots * 1.01,
    )  # fmt: skip
    config = GeneratorConfig.from_lognormal_model(shape, guess, precision)
    network = config.network(seed=4)
    for variable in network.variables:
        variable.assign(off(np.asarray(variable)))
    folder = made(tmp_path / "run", "emulator")
    Bundle.of("emulator", config, network, FACTS["emulator"]).write(folder.bundle)
    read = MassMapEmulator.load(folder.path)
    maps = replace(read, network=network).sample(3, seed=1, omega_m=0.3, sigma_8=[0.7, 0.8, 0.9])
    assert np.isfinite(maps).all()
    assert maps.tobytes() == read.sample(3, seed=1, omega_m=0.3, sigma_8=[0.7, 0.8, 0.9]).tobytes()


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("estimator", {"architecture": {"filters": [10**9]}}, "filters: found 1000000000, must be at most 65,536"),
        ("estimator", {"architecture": {"dense_units": [60_000, 60_000]}}, "its weights do not fit the network"),
        ("estimator", {"sigma_factor": [1.5, -1.0]}, "sigma_factor: found"),
        ("estimator", {"names": ["omega_m"]}, "names, location, scale and sigma_factor"),
        ("estimator", {"mean": [0.0, 0.0]}, "mean, std: found 2 and 1 values, must be 1"),
        ("estimator", {"std": [0.0]}, "std: found"),
        ("estimator", {"precision": "float64"}, "precision"),
        ("emulator", {"architecture": {"style_dim": 10**9}}, "style_dim: found 1000000000, must be at most 65,536"),
        (
            "emulator",
            {"architecture": {"size": 65_536}},
            "a field of 65536² modes is larger than can be built",
        ),
        ("emulator", {"architecture": {"conditions": 3}}, "location, scale, logarithmic: found"),
        ("emulator", {"architecture": {"channels": 2}}, r"ln_sigma: found shape \(6, 1\), must be \(6, 2\)"),
        ("emulator", {"knots": [1.0, 2.0]}, "ln_power: found shape"),
        ("emulator", {"intensity": {"scale": [0.1, 0.1]}}, r"intensity\.scale: found 2 values, must be 1"),
    ],
)
def test_an_impossible_description_is_refused(tmp_path, kind, change, message):
    folder = made(tmp_path / "run", kind)
    bundle = Bundle.read(folder.bundle, kind)
    for name, value in change.items():
        within = bundle.facts["network"]
        within[name] = within[name] | value if isinstance(value, dict) else value
    bundle.write(folder.bundle)
    with pytest.raises(InputError, match=message) as refused:
        LOAD[kind](folder.path)
    assert str(folder.bundle) in str(refused.value)


@pytest.mark.parametrize("kind", ["estimator", "emulator"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weights: weights[:-1], "arrays of weights, the network has"),
        (lambda weights: (*weights, weights[0]), "arrays of weights, the network has"),
        (lambda weights: (np.full_like(weights[0], np.nan), *weights[1:]), "weights 0: NaN or infinity"),
        (lambda weights: (weights[0][..., :-1], *weights[1:]), "weights 0: found shape"),
        (lambda weights: (weights[0].astype(np.float64), *weights[1:]), "weights 0: found shape"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, kind, spoil, message):
    folder = made(tmp_path / "run", kind)
    bundle = Bundle.read(folder.bundle, kind)
    replace(bundle, weights=spoil(bundle.weights)).write(folder.bundle)
    with pytest.raises(InputError, match=message) as refused:
        LOAD[kind](folder.path)
    assert str(folder.bundle) in str(refused.value)


def molecules() -> tuple[PredictorConfig, Bundle]:
    config = PredictorConfig(
        architecture=MPNN(network="dmpnn", hidden=16, depth=2, dense_units=(8,)),
        featuriser=Featuriser(), kind="regression",
        targets=(Target(name="gap", unit="eV", location=1.0, scale=2.0),),
    )  # fmt: skip
    return config, MoleculePredictor(config.network(seed=3), config).bundle({}, "")


def test_a_restored_network_of_molecules_gives_bit_identical_predictions(tmp_path):
    config, _ = molecules()
    predictor = MoleculePredictor(config.network(seed=3), config, np.array([[1.3, 0.0]]))
    predictor.bundle({}, "").write(tmp_path / "a.tenfold")
    again = MoleculePredictor.load(tmp_path / "a.tenfold")
    one, other = (model.predict(["CCO", "c1ccccc1", "CC(=O)O"]) for model in (predictor, again))
    assert one.mean.tobytes() == other.mean.tobytes()
    assert one.sigma.tobytes() == other.sigma.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda facts: facts["network"]["architecture"].update(hidden=10**9),
            "hidden: found 1000000000, must be at most",
        ),
        (lambda facts: facts["network"]["architecture"].update(hidden=60_000), "its weights do not fit the network"),
        (
            lambda facts: facts["network"]["architecture"].update(depth=10**9),
            "depth: found 1000000000, must be at most 100",
        ),
        (lambda facts: facts["network"]["architecture"].update(ensemble_size=10**9), "ensemble_size: found 1000000000"),
        (lambda facts: facts["network"]["featuriser"].update(features="poor"), "featuriser.features"),
        (lambda facts: facts["network"]["targets"][0].update(location="1.0"), "targets.0.location"),
        (lambda facts: facts.update(calibration=[["a", 0.0]]), "calibration: "),
        (lambda facts: facts.update(calibration=[[1.0, 0.0], [1.0, 0.0]]), r"calibration: .* shape \(1, 2\)"),
        (lambda facts: facts.update(calibration={}), "calibration: "),
        (lambda facts: facts.pop("calibration"), "calibration: "),
    ],
)
def test_an_impossible_bundle_of_molecules_is_refused(tmp_path, change, message):
    _, bundle = molecules()
    facts = json.loads(json.dumps(bundle.facts))
    change(facts)
    replace(bundle, facts=facts).write(tmp_path / "a.tenfold")
    with pytest.raises(InputError, match=message) as refused:
        MoleculePredictor.load(tmp_path / "a.tenfold")
    assert str(tmp_path / "a.tenfold") in str(refused.value)
