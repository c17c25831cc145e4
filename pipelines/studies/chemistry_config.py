"""The configuration of a chemistry run: a section for each thing that is done."""

from dataclasses import dataclass, field
from typing import ClassVar

from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.training import RegressionTraining
from tenfold.pipelines.labels.labels import Labelling
from tenfold.pipelines.molecules.config import MoleculeIngest


@dataclass(frozen=True, kw_only=True)
class ChemistryRun:
    """Everything about a chemistry run: what is labelled, ingested and trained."""

    STUDY: ClassVar[str] = "chemistry"
    DEFAULT: ClassVar[str] = "dmpnn"

    labels: Labelling = field(default_factory=Labelling)
    ingest: MoleculeIngest = field(default_factory=MoleculeIngest)
    network: MPNN = field(default_factory=MPNN)
    training: RegressionTraining = field(default_factory=RegressionTraining)
