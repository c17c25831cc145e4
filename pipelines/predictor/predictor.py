"""A trained molecular network in use: SMILES in, properties with uncertainties out."""

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
from tenfold.pipelines.predictor.probabilities import probabilities, values
from tenfold.pipelines.training.bundle import LARGEST_GIB, Bundle, read_network

Kind = Literal["regression", "classification"]

MOST_TARGETS = 10_000
"""Of a network."""
MOST_CLASSES = 1_000
"""Of a target."""
BINARY = ("0", "1")
"""Classes of a target that names none."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A property that is learnt."""

    name: str
    unit: str
    """As the labels have it; empty where none was declared."""
    location: float = 0.0
    """What an untrained network answers, as `tenfold.emulators.mpnn.build` takes it."""
    scale: float = 1.0
    """Give or take this much."""
    extensive: bool = False
    """Whether it grows with the molecule, as energies do."""
    dipole: bool = False
    """Whether it is the length of a vector that the network predicts."""
    classes: tuple[str, ...] = ()
    """By code, 0 first; of two, the second is the positive one. Empty for numbers, and for the classes 0 and 1."""

    def __post_init__(self):
        """Make a tuple of what JSON has as a list, and refuse what are no classes."""
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(self.classes) == 1 or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes: found {self.classes}, must be 2 or more different names")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Properties of n molecules."""

    names: tuple[str, ...]
    """The T targets."""
    mean: np.ndarray
    """Value, shape (n, T); NaN where the molecule cannot be read. Of two classes the probability of the second, of more
    that of the most probable one."""
    sigma: np.ndarray
    """Standard deviation of the value, or sqrt(p (1 - p)), shape (n, T)."""
    reasons: tuple[str | None, ...]
    """Why a molecule cannot be read; None where it can."""
    classes: tuple[tuple[str, ...], ...]
    """Of each target; none of numbers."""
    probabilities: np.ndarray | None = None
    """Of each class, shape (n, T, largest number of classes); None for numbers."""


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What, besides weights, makes a network the same again."""

    shape: MPNN
    featuriser: Featuriser
    kind: Kind
    targets: tuple[Target, ...]
    atom_reference: tuple[tuple[float, ...], ...] | None = None
    """What each atom adds by its element's code, a row of T per code; None: nothing."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Keras dtype policy."""

    def __post_init__(self):
        """Check the numbers of targets and classes."""
        check_size("targets", len(self.targets), MOST_TARGETS)
        check_size("classes", max((len(target.classes) for target in self.targets), default=0), MOST_CLASSES)

    @property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Names of each target's classes; none of numbers."""
        return tuple(() if self.kind == "regression" else target.classes or BINARY for target in self.targets)

    @property
    def multiclass(self) -> bool:
        """Whether any target has more than two classes."""
        return max(map(len, self.classes)) > 2

    @property
    def outputs(self) -> int:
        """Numbers that the network gives of each target: mean and standard deviation, or logits."""
        return 2 if self.kind == "regression" else max(map(len, self.classes)) if self.multiclass else 1

    def network(self, seed: int = 0) -> keras.Model:
        """Build the network, its weights as they are before training."""
        return build(
            self.shape, self.featuriser.layout, targets=len(self.targets), kind=self.kind,
            location=[target.location for target in self.targets], scale=[target.scale for target in self.targets],
            extensive=[target.extensive for target in self.targets],
            dipole=[target.dipole for target in self.targets],
            classes=[len(classes) for classes in self.classes] if self.kind == "classification" else None,
            atom_reference=None if self.atom_reference is None else np.array(self.atom_reference),
            seed=seed, precision=self.precision,
        )  # fmt: skip


class MoleculePredictor:
    """A trained network of molecules.

    Parameters
    ----------
    network
        Keras model, built by ``learnt``.
    learnt
        Its description.
    calibration
        Per target: for numbers (factor, 0), what standard deviations are multiplied by; for classes Platt's
        (slope, offset), or for more than two (slope, 0), see `probabilities`. Shape (T, 2).
    size
        Molecules per call.
    """

    def __init__(self, network: keras.Model, learnt: Learnt, calibration: np.ndarray | None = None, size: int = 256):
        self.network, self.learnt, self.size = network, learnt, size
        count = len(learnt.targets)
        self.calibration = np.tile([1.0, 0.0], (count, 1)) if calibration is None else np.asarray(calibration)
        self._forward = _forward(network)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(target.name for target in self.learnt.targets)

    def embedding(self) -> Self:
        """Return this predictor, making coordinates by ETKDGv3 and MMFF94 where its training was given them."""
        if self.learnt.featuriser.geometry != "given":
            return self
        learnt = replace(self.learnt, featuriser=replace(self.learnt.featuriser, geometry="embed"))
        return type(self)(self.network, learnt, self.calibration, self.size)

    def predict(self, smiles: Sequence[str]) -> Predictions:
        """Predict the properties of molecules.

        Parameters
        ----------
        smiles
            n molecules; one that cannot be read gets NaN and a reason, the others their properties.
        """
        graphs, reasons = self.learnt.featuriser.graphs(smiles)
        good = np.array([reason is None for reason in reasons], bool)
        found = np.full((len(smiles), len(self.names), 2), np.nan)
        classes, probability = self.learnt.classes, None
        if self.learnt.kind == "regression":
            found[good] = self.predict_graphs(graphs)
        else:
            probability = np.full((len(smiles), len(classes), max(map(len, classes))), np.nan)
            probability[good] = self.probabilities(graphs)
            found[good] = self.values(probability[good])
        return Predictions(
            names=self.names, mean=found[..., 0], sigma=found[..., 1], reasons=tuple(reasons), classes=classes,
            probabilities=probability,
        )  # fmt: skip

    def predict_graphs(self, graphs: Graphs) -> np.ndarray:
        """Predict value and standard deviation of n molecules, as `Predictions` has them: shape (n, T, 2)."""
        if self.learnt.kind == "classification":
            return self.values(self.probabilities(graphs))
        return calibrated(self.outputs(graphs), self.calibration)

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """Return what a table of predictions holds, from what the network says: (n, T, M, outputs) to (n, T, …).

        Value and standard deviation, shape (n, T, 2); of a network with more than two classes of any target the
        probability of each class, shape (n, T, C).
        """
        if self.learnt.kind == "regression":
            return calibrated(outputs, self.calibration)
        found = probabilities(outputs, [len(each) for each in self.learnt.classes], self.calibration)
        return found if self.learnt.multiclass else self.values(found)

    def probabilities(self, graphs: Graphs) -> np.ndarray:
        """Predict the probability of each class for n molecules: shape (n, T, largest number of classes)."""
        return probabilities(self.outputs(graphs), [len(each) for each in self.learnt.classes], self.calibration)

    def values(self, probability: np.ndarray) -> np.ndarray:
        """Return the probability p that stands for each molecule, and sqrt(p (1 - p)): (n, T, C) to (n, T, 2)."""
        return values(probability, [len(each) for each in self.learnt.classes])

    def outputs(self, graphs: Graphs) -> np.ndarray:
        """Return what the network says of n molecules: shape (n, T, M, 2) for numbers, (n, T, M, 1 or C) for classes.

        Molecules of like size go together, whatever order they come in.
        """
        order = np.argsort(graphs.sizes, kind="stable")
        rows = []
        for first in range(0, len(order), self.size):
            part = graphs.take(order[first : first + self.size])
            made = collate(part, self.learnt.shape, self.learnt.featuriser.layout, self.size)
            rows.append(np.asarray(self._forward(made.inputs))[: len(part)])
        if not rows:
            return np.empty((0, len(self.names), self.learnt.shape.ensemble_size, self.learnt.outputs))
        return np.concatenate(rows)[np.argsort(order)]

    def explained(self, graph: Graphs) -> list[int]:
        """Return, for one molecule, the code of the class that an explanation of each target is about: T values.

        Of two classes the second, of more the most probable one; for numbers 0.
        """
        if self.learnt.kind == "regression":
            return [0] * len(self.names)
        best = self.probabilities(graph)[0].argmax(axis=-1)
        return [1 if len(own) == 2 else int(code) for own, code in zip(self.learnt.classes, best, strict=True)]

    def padding(self, graphs: Graphs) -> float:
        """Return the fraction of the rows that the network works on for n molecules and that only fill the shape."""
        order = np.argsort(graphs.sizes, kind="stable")
        parts = [order[first : first + self.size] for first in range(0, len(order), self.size)]
        shape, layout = self.learnt.shape, self.learnt.featuriser.layout
        return float(np.mean([collate(graphs.take(part), shape, layout, self.size).padding_fraction for part in parts]))

    def bundle(self, facts: dict[str, Any], splits: str) -> Bundle:
        """Return everything that a file of this predictor holds; ``facts`` are added to what describes it."""
        facts = {"calibration": self.calibration.tolist()} | facts
        return Bundle.of("molecules", self.learnt, self.network, facts, splits)

    @classmethod
    def read(cls, path: Path, size: int = 256, largest_gib: float = LARGEST_GIB) -> "MoleculePredictor":
        """Load a predictor from a file that `tenfold train molecules` wrote.

        Parameters
        ----------
        path
            The file.
        size
            Molecules per call.
        largest_gib
            Largest size that it may unpack to [GiB].

        Raises
        ------
        InputError
            The file is no bundle, damaged, too large, or holds other weights than its network has.
        """
        bundle, learnt, network = read_network(path, "molecules", Learnt, largest_gib)
        try:
            calibration = np.array(bundle.facts["calibration"], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: calibration: cannot be read ({error}). Train again.") from error
        wanted = (len(learnt.targets), 2)
        if calibration.shape != wanted or not np.isfinite(calibration).all():
            raise InputError(f"{path}: calibration: must be finite numbers of shape {wanted}. Train again.")
        return cls(network, learnt, calibration, size)


def calibrated(outputs: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Join the members of an ensemble that predicts numbers.

    Parameters
    ----------
    outputs
        Mean and standard deviation, shape (n, T, M, 2).
    calibration
        Shape (T, 2), see `MoleculePredictor`.

    Returns
    -------
    np.ndarray
        Value and standard deviation of the mixture of the members' Gaussians, shape (n, T, 2).
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
