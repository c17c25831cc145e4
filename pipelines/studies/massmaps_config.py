"""The configuration of a run on mass maps: a section for each thing that is done."""

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from tenfold.emulators.adversarial import AdversarialTraining
from tenfold.emulators.cnn import CNN
from tenfold.emulators.gan import GAN
from tenfold.emulators.symmetries import symmetries_of
from tenfold.emulators.training import FieldTraining
from tenfold.pipelines.acceptance.acceptance import Tolerances
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.studies.cosmology_config import CosmologyRun, Proof
from tenfold.pipelines.volumes.maps import MassMapIngest


@dataclass(frozen=True, kw_only=True)
class MassMapsRun:
    """Everything about a run on mass maps: what is simulated, ingested, trained and tested."""

    STUDY: ClassVar[str] = "massmaps"
    DEFAULT: ClassVar[str] = "laptop"
    RENAMED: ClassVar[dict[str, str]] = {"court": "acceptance"}

    simulation: MassMaps = field(default_factory=MassMaps)
    ingest: MassMapIngest = field(default_factory=MassMapIngest)
    network: GAN = field(default_factory=GAN)
    training: AdversarialTraining = field(default_factory=AdversarialTraining)
    estimator: CNN = field(default_factory=partial(CNN, dimensions=2, transform="identity"))
    estimator_training: FieldTraining = field(default_factory=FieldTraining)
    acceptance: Tolerances = field(default_factory=Tolerances)

    @property
    def estimates(self) -> bool:
        """Whether there is something to estimate, of maps of one source redshift."""
        return bool(self.simulation.ranges) and len(self.simulation.sources) == 1

    @property
    def map_estimator(self) -> CosmologyRun:
        """The estimator of maps, as a training of an estimator is configured."""
        views = len(symmetries_of(self.estimator.sides))
        return CosmologyRun(
            network=self.estimator, training=self.estimator_training, proof=Proof(control=False, views=views)
        )
