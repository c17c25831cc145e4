"""Pipelines: raw files to shards, training, validation, reports.

Make data
    `simulate_volumes`, `simulate_surrogates`, `simulate_massmaps`, `label_molecules`
Pack data for training
    `ingest_volumes`, `ingest_massmaps`, `ingest_molecules`; `Shards` and `MoleculeShards` read what was packed
Train
    `train_estimator`, `train_emulator`, `train_molecules`
Use a trained network
    `load` returns an `Estimator`, a `MassMapEmulator` or a `MoleculePredictor` (which returns `Predictions`);
    `validate`, `explain`, `emulate` and `predict_molecules` write files

Each function takes a configuration: `Simulation`, `MassMaps` and `Labelling` of data; `Ingest`, `MassMapIngest` and
`MoleculeIngest` of packing; the architectures `CNN`, `GAN` and `MPNN`; the hyper-parameters `FieldTraining`,
`AdversarialTraining` and `RegressionTraining`. `Ranks` describes the MPI ranks of a training; `Ranks()` is a single
process. Lengths, angles and energy units may be those of `astropy.units`. Unusable input raises `InputError`.

Names are imported on first use: importing this package loads neither TensorFlow nor RDKit.

Example
-------
>>> import tenfold.pipelines
>>> "load" in dir(tenfold.pipelines)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.emulators.adversarial import AdversarialTraining
    from tenfold.emulators.cnn import CNN
    from tenfold.emulators.gan import GAN
    from tenfold.emulators.mpnn import MPNN
    from tenfold.emulators.training import FieldTraining, RegressionTraining
    from tenfold.hpc.ranks import Ranks
    from tenfold.pipelines.emulator.emulator import MassMapEmulator
    from tenfold.pipelines.emulator.train import emulate, train_emulator
    from tenfold.pipelines.errors import InputError
    from tenfold.pipelines.estimator.estimator import Estimator
    from tenfold.pipelines.estimator.train import train_estimator
    from tenfold.pipelines.labels.labels import Labelling, label_molecules
    from tenfold.pipelines.molecules.config import MoleculeIngest
    from tenfold.pipelines.molecules.ingest import ingest_molecules
    from tenfold.pipelines.molecules.shards import MoleculeShards
    from tenfold.pipelines.predictor.predict import predict_molecules
    from tenfold.pipelines.predictor.predictions import Predictions
    from tenfold.pipelines.predictor.predictor import MoleculePredictor
    from tenfold.pipelines.predictor.train import train_molecules
    from tenfold.pipelines.simulation.config import Simulation
    from tenfold.pipelines.simulation.lensing.config import MassMaps
    from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
    from tenfold.pipelines.simulation.simulate import simulate_volumes
    from tenfold.pipelines.simulation.surrogates import simulate_surrogates
    from tenfold.pipelines.studies.trained import explain, load, validate
    from tenfold.pipelines.volumes.config import Ingest
    from tenfold.pipelines.volumes.ingest import ingest_volumes
    from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
    from tenfold.pipelines.volumes.shards import Shards

_MODULES = {
    "tenfold.emulators.adversarial": ("AdversarialTraining",),
    "tenfold.emulators.cnn": ("CNN",),
    "tenfold.emulators.gan": ("GAN",),
    "tenfold.emulators.mpnn": ("MPNN",),
    "tenfold.emulators.training": ("FieldTraining", "RegressionTraining"),
    "tenfold.hpc.ranks": ("Ranks",),
    "tenfold.pipelines.emulator.emulator": ("MassMapEmulator",),
    "tenfold.pipelines.emulator.train": ("emulate", "train_emulator"),
    "tenfold.pipelines.errors": ("InputError",),
    "tenfold.pipelines.estimator.estimator": ("Estimator",),
    "tenfold.pipelines.estimator.train": ("train_estimator",),
    "tenfold.pipelines.labels.labels": ("Labelling", "label_molecules"),
    "tenfold.pipelines.molecules.config": ("MoleculeIngest",),
    "tenfold.pipelines.molecules.ingest": ("ingest_molecules",),
    "tenfold.pipelines.molecules.shards": ("MoleculeShards",),
    "tenfold.pipelines.predictor.predict": ("predict_molecules",),
    "tenfold.pipelines.predictor.predictions": ("Predictions",),
    "tenfold.pipelines.predictor.predictor": ("MoleculePredictor",),
    "tenfold.pipelines.predictor.train": ("train_molecules",),
    "tenfold.pipelines.simulation.config": ("Simulation",),
    "tenfold.pipelines.simulation.lensing.config": ("MassMaps",),
    "tenfold.pipelines.simulation.lensing.simulate": ("simulate_massmaps",),
    "tenfold.pipelines.simulation.simulate": ("simulate_volumes",),
    "tenfold.pipelines.simulation.surrogates": ("simulate_surrogates",),
    "tenfold.pipelines.studies.trained": ("explain", "load", "validate"),
    "tenfold.pipelines.volumes.config": ("Ingest",),
    "tenfold.pipelines.volumes.ingest": ("ingest_volumes",),
    "tenfold.pipelines.volumes.maps": ("MassMapIngest", "ingest_massmaps"),
    "tenfold.pipelines.volumes.shards": ("Shards",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CNN", "GAN", "MPNN", "AdversarialTraining", "Estimator", "FieldTraining", "Ingest", "InputError", "Labelling",
    "MassMapEmulator", "MassMapIngest", "MassMaps", "MoleculeIngest", "MoleculePredictor", "MoleculeShards",
    "Predictions", "Ranks", "RegressionTraining", "Shards", "Simulation", "emulate", "explain", "ingest_massmaps",
    "ingest_molecules", "ingest_volumes", "label_molecules", "load", "predict_molecules", "simulate_massmaps",
    "simulate_surrogates", "simulate_volumes", "train_emulator", "train_estimator", "train_molecules", "validate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; see help({__name__})")
    globals()[name] = value = getattr(import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names, and the attributes that every module has."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
