"""The configuration of a cosmology run: a section for each thing that is done."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from tenfold.emulators.cnn import CNN
from tenfold.emulators.training import FieldTraining
from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.volumes.config import Ingest


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Configuration of the validation of a trained estimator."""

    control: bool = True
    """Train a second network on Gaussian surrogates of the boxes, which hold nothing beyond their power spectrum."""
    control_epochs: int = 0
    """Epochs of that training; 0: as many as the first."""
    views: int = 1
    """Orientations of the cube that predictions are averaged over, 1 to 48."""

    def __post_init__(self):
        """Refuse what cannot be done."""
        if not 1 <= self.views <= 48:
            raise ValueError(f"views: found {self.views}, must be 1 to 48")
        if self.control_epochs < 0:
            raise ValueError(f"control_epochs: found {self.control_epochs}, must not be negative")


@dataclass(frozen=True, kw_only=True)
class CosmologyRun:
    """Everything about a cosmology run: what is simulated, ingested, trained and proven."""

    STUDY: ClassVar[str] = "cosmology"
    DEFAULT: ClassVar[str] = "laptop"

    simulation: Simulation = field(default_factory=Simulation)
    ingest: Ingest = field(default_factory=Ingest)
    network: CNN = field(default_factory=CNN)
    training: FieldTraining = field(default_factory=FieldTraining)
    proof: Proof = field(default_factory=Proof)

    @property
    def null_control(self) -> "CosmologyRun":
        """The same network for Gaussian surrogates, with an input transform that is defined where δ falls below −1."""
        training = replace(self.training, epochs=self.proof.control_epochs or self.training.epochs)
        return replace(self, network=replace(self.network, transform="identity"), training=training)
