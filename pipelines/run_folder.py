"""The folder of one training run: what stands in it, and how it is written whole or not at all."""

import contextlib
import csv
import io
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing, writable

HISTORY: tuple[str, ...] = ("epoch", "step", "loss", "validation_loss", "learning_rate", "seconds", "waiting")
PACKAGES = ("tenfold", "tensorflow", "keras", "horovod", "mpich", "h5py", "dask", "camb", "rdkit", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on, by package."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):  # a site's own MPI stands in for ours
            found[name] = metadata.version(name)
    return found


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and its small files."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def network(self) -> Path:
        """The trained network, as Keras writes it."""
        return self.path / "network.keras"

    @property
    def bundle(self) -> Path:
        """A trained network of molecules, with all that its use needs."""
        return self.path / "bundle.tenfold"

    @property
    def tensorboard(self) -> Path:
        """Folder that TensorBoard reads."""
        return self.path / "tensorboard"

    def create(self) -> None:
        """Make the folder, or raise `InputError`: it cannot be made or written."""
        writable(self.path)

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the resolved configuration."""
        self._write("config.yaml", yaml.safe_dump(config, sort_keys=False).encode())

    def read_config(self) -> dict[str, Any]:
        """Return the resolved configuration, {} where there is none yet."""
        path = self.path / "config.yaml"
        return yaml.safe_load(path.read_text()) if path.exists() else {}

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write one row per epoch: columns `HISTORY`, then what else the first row has."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*HISTORY, *(name for name in rows[0] if name not in HISTORY)])
        writer.writeheader()
        writer.writerows(rows)
        self._write("history.csv", text.getvalue().encode())

    def read_history(self) -> dict[str, np.ndarray]:
        """Return the columns of the history, {} where there is none."""
        path = self.path / "history.csv"
        if not path.exists():
            return {}
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in (rows[0] if rows else ())}

    def write_predictions(self, **arrays: np.ndarray) -> None:
        """Write predictions.npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        self._write("predictions.npz", buffer.getvalue())

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        self._write("metrics.json", (json.dumps(metrics, indent=1, allow_nan=False) + "\n").encode())

    def write_record(self, record: dict[str, Any]) -> None:
        """Write run.json: where the data are, what was trained, on what, for how long."""
        self._write("run.json", json.dumps(record, indent=2).encode())

    def read_record(self) -> dict[str, Any]:
        """Return run.json; raise `InputError` where the training has not finished."""
        path = self.path / "run.json"
        if not path.exists():
            raise InputError(
                f"{path}: not there, so no training has finished in {self.path}: train first, `tenfold train --help`; "
                "what was interrupted goes on with --resume"
            )
        return json.loads(path.read_text())

    def find_data(self, record: dict[str, Any]) -> Path:
        """Return the folder of the shards that run.json names: where they were, or beside the run where all was moved.

        Raises
        ------
        InputError
            They are in neither place.
        """
        stated = Path(record["data"])
        for folder in (stated, self.path.parent / stated.name):
            if (folder / "manifest.json").exists():
                return folder
        raise InputError(
            f"{self.path}: was trained on {stated}, which is not there. Put the shards back, there or beside the run."
        )

    def _write(self, name: str, content: bytes) -> None:
        with replacing(self.path / name) as temporary:
            temporary.write_bytes(content)
