"""Properties and provenance of packed fields, as a trained network keeps them."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.masks import Mask


@dataclass(frozen=True, kw_only=True)
class FieldProperties:
    """Units and geometry of the boxes or maps that a network was trained on."""

    units: str
    """Unit of a cell or pixel, such as "counts" or "kappa"."""
    mean: float
    """Mean value of a cell over the training split, in `units`."""
    box_mpc_h: float | None
    """Side of a box, or of a map that has a length [Mpc/h]; None if unknown."""
    side_deg: float | None
    """Side of a square map on the sky [degrees]; None if unknown."""
    periodic: bool
    """Whether opposite edges are adjacent."""
    redshifts: tuple[float, ...]
    """Redshift of each channel (of the sources, for convergence maps); empty if unknown."""
    multipoles: tuple[float, float] | None
    """Range of multipoles in which the C_ℓ of the maps is trusted; None if unknown."""
    pixel_arcmin: float | None = None
    """Side of a pixel of a map [arcmin]; None if unknown."""
    mask: Mask | None = None
    """Mask of all maps; None: all pixels are observed."""

    @classmethod
    def of(cls, manifest: Manifest) -> "FieldProperties":
        """Take the properties of the records of a folder of shards."""
        return cls(
            units=manifest.units, mean=float(manifest.value.mean), box_mpc_h=manifest.box_mpc_h,
            side_deg=manifest.side_deg, periodic=manifest.periodic, redshifts=tuple(manifest.redshifts),
            multipoles=manifest.multipoles, pixel_arcmin=manifest.pixel_arcmin, mask=manifest.mask,
        )  # fmt: skip


def provenance(manifest: Manifest) -> dict[str, Any]:
    """Return fingerprint, SHA-256 of every source file, and licence (None: not stated) of a folder of shards."""
    sources = {entry.source: entry.sha256 for entry in manifest.simulations}
    return {"fingerprint": manifest.fingerprint, "sources": sources, "licence": None}


def splits_table(manifest: Manifest) -> str:
    """Return the split of every simulation as a CSV table: source, simulation, split, records."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "simulation", "split", "records"])
    for entry in manifest.simulations:
        writer.writerow([entry.source, entry.simulation, entry.split or "duplicate", entry.records])
    return text.getvalue()
