"""The configuration of a run on mass maps: a section for each thing that is done."""

from dataclasses import dataclass, field
from typing import ClassVar

from tenfold.pipelines.massmaps.ingest import MassMapIngest
from tenfold.pipelines.massmaps.simulate import MassMaps


@dataclass(frozen=True, kw_only=True)
class MassMapsRun:
    """Everything about a run on mass maps: what is simulated and ingested."""

    STUDY: ClassVar[str] = "massmaps"
    DEFAULT: ClassVar[str] = "laptop"

    simulation: MassMaps = field(default_factory=MassMaps)
    ingest: MassMapIngest = field(default_factory=MassMapIngest)
