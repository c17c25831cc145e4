"""What a user runs: raw files to shards, training, validation, reports."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenfold.pipelines.predictor.predictor import MoleculePredictor


def load(path: Path | str) -> "MoleculePredictor":
    """Load a trained network of molecules from the one file that it is; the data it was trained on are not needed.

    Nothing in the file is executed.

    Raises
    ------
    InputError
        The file is not what `tenfold train molecules` writes, or is damaged.
    """
    from tenfold.pipelines.predictor.predictor import MoleculePredictor

    return MoleculePredictor.read(Path(path))
