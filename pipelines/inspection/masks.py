"""Inspection of masks of survey maps."""

from pathlib import Path

import numpy as np

from tenfold.pipelines.inspection.inspection import Inspection
from tenfold.pipelines.readers.masks import read_mask


def inspect_mask(path: Path) -> Inspection:
    """Inspect a mask file of True and False, or of 1 and 0.

    Raises
    ------
    InputError
        The file is not such a mask.
    """
    mask = read_mask(path)
    observed = int(np.count_nonzero(mask))
    return Inspection(
        path=path,
        kind="mask of maps",
        facts={
            "shape": " × ".join(map(str, mask.shape)),
            "observed": f"{observed:,} pixels, {observed / mask.size:.1%}",
        },
        command=f"tenfold ingest massmaps MAPS --set ingest.mask={path} --out data",
    )
