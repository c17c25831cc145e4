"""Configuration of a network of molecules: all that determines it besides its weights."""

from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from tenfold.emulators.mpnn import MPNN, build
from tenfold.emulators.sizes import check_size
from tenfold.pipelines.molecules.featuriser import Featuriser

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
