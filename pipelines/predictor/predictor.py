"""Trained predictor of molecular properties: SMILES in, properties with uncertainties out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import keras
import numpy as np

from tenfold.emulators.graph_batches import collate
from tenfold.emulators.graphs import Graphs
from tenfold.emulators.mpnn import MPNN, build
from tenfold.emulators.sizes import check_size
from tenfold.emulators.training import traced
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.probabilities import class_probabilities, value_and_uncertainty
from tenfold.pipelines.training.bundle import LARGEST_GIB, Bundle, read_network

Kind = Literal["regression", "classification"]

MAX_TARGETS = 10_000
"""Largest number of targets of a network."""
MAX_CLASSES = 1_000
"""Largest number of classes of a target."""
BINARY = ("0", "1")
"""Class names of a classification target that declares none."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A property that the network predicts."""

    name: str
    unit: str
    """Unit of the labels; empty where none was declared."""
    location: float = 0.0
    """Mean that the untrained network predicts, see `tenfold.emulators.mpnn.build`."""
    scale: float = 1.0
    """Spread of the labels around ``location``, see `tenfold.emulators.mpnn.build`."""
    extensive: bool = False
    """Whether the property scales with the size of the molecule, as energies do."""
    dipole: bool = False
    """Whether the property is the norm of a vector that the network predicts."""
    classes: tuple[str, ...] = ()
    """Class names in the order of their codes, from 0. Of two classes the second is the positive one. Empty for
    regression, and for classification into 0 and 1."""

    def __post_init__(self):
        """Convert lists, as JSON has them, to tuples, and check the class names."""
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(self.classes) == 1 or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes: found {self.classes}, must be 2 or more different names")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predicted properties of n molecules."""

    names: tuple[str, ...]
    """Names of the T targets."""
    mean: np.ndarray
    """Predicted value, shape (n, T); NaN for a molecule that could not be read. For two classes the probability of the
    second, for more than two that of the most probable class."""
    sigma: np.ndarray
    """Standard deviation of the predicted value, shape (n, T); sqrt(p (1 − p)) for a class of probability p."""
    reasons: tuple[str | None, ...]
    """Why a molecule could not be read; None where it could."""
    classes: tuple[tuple[str, ...], ...]
    """Class names of each target; empty for regression."""
    probabilities: np.ndarray | None = None
    """Probability of each class, shape (n, T, largest number of classes); None for regression."""


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """Configuration of a predictor: everything but its weights that is needed to rebuild the network."""

    architecture: MPNN
    featuriser: Featuriser
    kind: Kind
    targets: tuple[Target, ...]
    atom_reference: tuple[tuple[float, ...], ...] | None = None
    """Contribution of an atom of each element code to the T targets, one row per code; None for no such reference."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Keras dtype policy."""

    def __post_init__(self):
        """Check the numbers of targets and classes."""
        check_size("targets", len(self.targets), MAX_TARGETS)
        check_size("classes", max((len(target.classes) for target in self.targets), default=0), MAX_CLASSES)

    @property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Class names of each target; empty for regression."""
        return tuple(() if self.kind == "regression" else target.classes or BINARY for target in self.targets)

    @property
    def multiclass(self) -> bool:
        """Whether any target has more than two classes."""
        return max(map(len, self.classes)) > 2

    @property
    def outputs(self) -> int:
        """Number of outputs per target: mean and standard deviation, or logits."""
        return 2 if self.kind == "regression" else max(map(len, self.classes)) if self.multiclass else 1

    def network(self, seed: int = 0) -> keras.Model:
        """Build the untrained network."""
        return build(
            self.architecture, self.featuriser.layout, targets=len(self.targets), kind=self.kind,
            location=[target.location for target in self.targets], scale=[target.scale for target in self.targets],
            extensive=[target.extensive for target in self.targets],
            dipole=[target.dipole for target in self.targets],
            classes=[len(classes) for classes in self.classes] if self.kind == "classification" else None,
            atom_reference=None if self.atom_reference is None else np.array(self.atom_reference),
            seed=seed, precision=self.precision,
        )  # fmt: skip


class MoleculePredictor:
    """Trained network that predicts properties of molecules.

    Parameters
    ----------
    network
        Keras model, built from ``config``.
    config
        Configuration of the network.
    calibration
        Calibration of each target, shape (T, 2). Regression: (factor, 0), with the factor applied to standard
        deviations. Two classes: slope and offset of Platt scaling. More classes: (inverse temperature, 0). See
        `tenfold.pipelines.predictor.probabilities`.
    batch_size
        Molecules per call of the network.
    """

    def __init__(
        self,
        network: keras.Model,
        config: PredictorConfig,
        calibration: np.ndarray | None = None,
        batch_size: int = 256,
    ):
        self.network, self.config, self.batch_size = network, config, batch_size
        count = len(config.targets)
        self.calibration = np.tile([1.0, 0.0], (count, 1)) if calibration is None else np.asarray(calibration)
        self._forward = _forward(network)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(target.name for target in self.config.targets)

    def with_embedding(self) -> Self:
        """Return a predictor that generates coordinates (ETKDGv3, MMFF94) if it was trained on given ones."""
        if self.config.featuriser.geometry != "given":
            return self
        config = replace(self.config, featuriser=replace(self.config.featuriser, geometry="embed"))
        return type(self)(self.network, config, self.calibration, self.batch_size)

    def predict(self, smiles: Sequence[str]) -> Predictions:
        """Predict the properties of molecules.

        Parameters
        ----------
        smiles
            SMILES of n molecules. One that cannot be read gets NaN and a reason; the others are predicted.
        """
        graphs, reasons = self.config.featuriser.graphs(smiles)
        readable = np.array([reason is None for reason in reasons], bool)
        values = np.full((len(smiles), len(self.names), 2), np.nan)
        classes, probability = self.config.classes, None
        if self.config.kind == "regression":
            values[readable] = self.predict_graphs(graphs)
        else:
            probability = np.full((len(smiles), len(classes), max(map(len, classes))), np.nan)
            probability[readable] = self.probabilities(graphs)
            values[readable] = self.values(probability[readable])
        return Predictions(
            names=self.names, mean=values[..., 0], sigma=values[..., 1], reasons=tuple(reasons), classes=classes,
            probabilities=probability,
        )  # fmt: skip

    def predict_graphs(self, graphs: Graphs) -> np.ndarray:
        """Predict the value and standard deviation of n molecules, as in `Predictions`: shape (n, T, 2)."""
        if self.config.kind == "classification":
            return self.values(self.probabilities(graphs))
        return combine_ensemble(self.outputs(graphs), self.calibration)

    def predictions_from_outputs(self, outputs: np.ndarray) -> np.ndarray:
        """Convert raw outputs of the network, shape (n, T, M, outputs), to calibrated predictions.

        Returns
        -------
        ndarray
            Value and standard deviation, shape (n, T, 2). If any target has more than two classes: probability of
            each class, shape (n, T, C).
        """
        if self.config.kind == "regression":
            return combine_ensemble(outputs, self.calibration)
        probability = class_probabilities(outputs, [len(names) for names in self.config.classes], self.calibration)
        return probability if self.config.multiclass else self.values(probability)

    def probabilities(self, graphs: Graphs) -> np.ndarray:
        """Predict the probability of each class for n molecules: shape (n, T, largest number of classes)."""
        return class_probabilities(
            self.outputs(graphs), [len(names) for names in self.config.classes], self.calibration
        )

    def values(self, probability: np.ndarray) -> np.ndarray:
        """Reduce class probabilities, shape (n, T, C), to one probability p and sqrt(p (1 − p)): shape (n, T, 2)."""
        return value_and_uncertainty(probability, [len(names) for names in self.config.classes])

    def outputs(self, graphs: Graphs) -> np.ndarray:
        """Return the raw outputs of the network for n molecules.

        Molecules of similar size share a batch. The outputs are in the order of the input.

        Returns
        -------
        ndarray
            Shape (n, T, M, 2) for regression, (n, T, M, 1) for binary and (n, T, M, C) for multi-class targets, with M
            ensemble members.
        """
        order = np.argsort(graphs.sizes, kind="stable")
        rows = []
        for first in range(0, len(order), self.batch_size):
            part = graphs.take(order[first : first + self.batch_size])
            padded = collate(part, self.config.architecture, self.config.featuriser.layout, self.batch_size)
            rows.append(np.asarray(self._forward(padded.inputs))[: len(part)])
        if not rows:
            return np.empty((0, len(self.names), self.config.architecture.ensemble_size, self.config.outputs))
        return np.concatenate(rows)[np.argsort(order)]

    def explained_classes(self, graph: Graphs) -> list[int]:
        """Return the code of the class that is explained for each of the T targets of one molecule.

        The second of two classes, the most probable of more; 0 for regression.
        """
        if self.config.kind == "regression":
            return [0] * len(self.names)
        best = self.probabilities(graph)[0].argmax(axis=-1)
        return [1 if len(names) == 2 else int(code) for names, code in zip(self.config.classes, best, strict=True)]

    def padding_fraction(self, graphs: Graphs) -> float:
        """Return the fraction of padding among the rows that the network processes for n molecules."""
        order = np.argsort(graphs.sizes, kind="stable")
        parts = [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]
        architecture, layout = self.config.architecture, self.config.featuriser.layout
        waste = [collate(graphs.take(part), architecture, layout, self.batch_size).padding_fraction for part in parts]
        return float(np.mean(waste))

    def bundle(self, facts: dict[str, Any], splits: str) -> Bundle:
        """Return the content of this predictor's file; ``facts`` are added to its configuration and calibration."""
        facts = {"calibration": self.calibration.tolist()} | facts
        return Bundle.of("molecules", self.config, self.network, facts, splits)

    @classmethod
    def read(cls, path: Path, batch_size: int = 256, largest_gib: float = LARGEST_GIB) -> "MoleculePredictor":
        """Load a predictor from a file that `tenfold train molecules` wrote.

        Parameters
        ----------
        path
            The file.
        batch_size
            Molecules per call of the network.
        largest_gib
            Largest size that the file may unpack to [GiB].

        Raises
        ------
        InputError
            The file is not a bundle, is damaged or too large, or its weights do not fit its network.
        """
        bundle, config, network = read_network(path, "molecules", PredictorConfig, largest_gib)
        try:
            calibration = np.array(bundle.facts["calibration"], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: calibration: cannot be read ({error}). Train again.") from error
        expected = (len(config.targets), 2)
        if calibration.shape != expected or not np.isfinite(calibration).all():
            raise InputError(f"{path}: calibration: must be finite numbers of shape {expected}. Train again.")
        return cls(network, config, calibration, batch_size)


def combine_ensemble(outputs: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Combine the members of a regression ensemble.

    Parameters
    ----------
    outputs
        Mean and standard deviation of each of M members, shape (n, T, M, 2).
    calibration
        Shape (T, 2), see `MoleculePredictor`.

    Returns
    -------
    ndarray
        Mean of the mixture of the members' Gaussians, and its calibrated standard deviation, shape (n, T, 2).
    """
    outputs = outputs.astype(np.float64)
    mean, sigma = outputs[..., 0], outputs[..., 1]
    spread = np.sqrt(np.mean(sigma**2, axis=-1) + np.var(mean, axis=-1))
    return np.stack([mean.mean(-1), calibration[:, 0] * spread], axis=-1)


def _forward(network: keras.Model):
    if keras.backend.backend() != "tensorflow":
        return lambda inputs: keras.ops.convert_to_numpy(network(inputs, training=False))
    call = traced(lambda inputs: network(inputs, training=False), ragged=True)
    return lambda inputs: call((inputs,))
