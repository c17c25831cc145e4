"""The folder of a training run: its files, written atomically and checked when they are read."""

import contextlib
import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import yaml
from pydantic import FiniteFloat, TypeAdapter, ValidationError

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_json
from tenfold.pipelines.files.plain_yaml import read_yaml
from tenfold.pipelines.storage.output_folder import OutputFolder

RunKind = Literal["estimator", "emulator", "molecules"]
"""Kind of network that a run trains: the value of `what` in its record, and NAME of ``tenfold train NAME``."""
KINDS: tuple[RunKind, ...] = get_args(RunKind)

HISTORY: tuple[str, ...] = ("epoch", "step", "loss", "validation_loss", "learning_rate", "seconds", "waiting")
PACKAGES = ("tenfold", "tensorflow", "keras", "horovod", "mpich", "h5py", "dask", "camb", "rdkit", "numpy", "scipy")

FILES = (
    "config.yaml", "history.csv", "predictions.npz", "metrics.json", "run.json", "bundle.tenfold",
    "samples.png", "checkpoints", "tensorboard",
)  # fmt: skip
"""Files and folders that a training writes."""
LARGEST_PREDICTIONS = 2**32
"""Largest unpacked size of predictions [bytes]."""
_NUMBER: Any = FiniteFloat
_TEXTS, _NUMBERS = list[str], list[FiniteFloat]
_RECORD: dict[str, Any] = {
    "what": str, "data": str, "fingerprint": str, "names": _TEXTS, "sigma_factor": _NUMBERS, "low": _NUMBERS,
    "high": _NUMBERS, "network": dict[str, Any], "training": dict[str, Any], "views": int, "parameters": int,
    "ranks": int, "versions": dict[str, str], "seed": int, "wall_s": FiniteFloat, "best_epoch": int,
    "side_deg": _NUMBER | None, "units": str, "redshifts": _NUMBERS, "multipoles": _NUMBERS | None,
    "fixed": dict[str, FiniteFloat],
}  # fmt: skip
"""Types of the entries of run.json that are read."""


class _Record(dict[str, Any]):
    """Entries of run.json; looking up a missing one raises `InputError` with the name of the file."""

    def __init__(self, path: Path, entries: dict[str, Any]):
        super().__init__(entries)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise InputError(f"{self.path}: damaged, {name} is missing. Train again.")


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on, by name."""
    installed = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):  # a site may have its own MPI
            installed[name] = metadata.version(name)
    return installed


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, with readers and writers of its small files."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def bundle(self) -> Path:
        """The trained network, with everything needed to use it; see `tenfold.pipelines.training.bundle`."""
        return self.path / "bundle.tenfold"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "tensorboard"

    def create(self, *, known: bool = False) -> None:
        """Create the folder, and claim the names of the files that a training writes.

        Parameters
        ----------
        known
            Whether a run of tenfold has begun in it.

        Raises
        ------
        InputError
            It cannot be created or written to, or holds a file of these names that tenfold did not make.
        """
        OutputFolder.claim(self.path, FILES, known=FILES if known else ())

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the resolved configuration."""
        self._write("config.yaml", yaml.safe_dump(config, sort_keys=False).encode())

    def read_config(self) -> dict[str, Any]:
        """Return the resolved configuration, {} if there is none yet; raise `InputError` if it is damaged."""
        path = self.path / "config.yaml"
        config = read_yaml(path) if path.exists() else {}
        if not isinstance(config, dict):
            raise InputError(f"{path}: damaged, holds no sections. Choose another --out.")
        return config

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write history.csv, a row per epoch: the columns `HISTORY`, then further columns of the first row."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*HISTORY, *(name for name in rows[0] if name not in HISTORY)])
        writer.writeheader()
        writer.writerows(rows)
        self._write("history.csv", text.getvalue().encode())

    def read_history(self) -> dict[str, np.ndarray]:
        """Return the columns of history.csv, {} if there is none; raise `InputError` if it is damaged."""
        path = self.path / "history.csv"
        if not path.exists():
            return {}
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            return {name: np.array([float(row[name] or "nan") for row in rows]) for name in (rows[0] if rows else ())}
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise InputError(
                f"{path}: damaged, not a table of numbers ({error}). Remove it, or train again."
            ) from error

    def write_predictions(self, **arrays: np.ndarray) -> None:
        """Write predictions.npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        self._write("predictions.npz", buffer.getvalue())

    def read_predictions(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return arrays of predictions.npz by name, each with one row per entry of ``test_record``.

        Raises
        ------
        InputError
            It is missing, damaged, larger than `LARGEST_PREDICTIONS`, or lacks one of the arrays.
        """
        path = self.path / "predictions.npz"
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST_PREDICTIONS:
                raise ValueError(f"unpacks to {size:,} bytes, more than {LARGEST_PREDICTIONS:,}")
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                predictions = {name: arrays[name] for name in names}
            rows = predictions["test_record"].shape
            if len(rows) != 1 or predictions["test_record"].dtype.kind not in "iu":
                raise ValueError("test_record is not a list of records")
            for name, array in predictions.items():
                numbers = name not in ("names", "test_simulation")
                if array.dtype.kind not in ("iuf" if numbers else "U"):
                    raise ValueError(f"{name} is of {array.dtype}")
                if name != "names" and array.shape[:1] != rows:
                    raise ValueError(f"{name} has shape {array.shape}, expected {rows[0]} rows")
            return predictions
        except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, MemoryError, zlib.error,
                zipfile.BadZipFile) as error:  # fmt: skip
            raise InputError(f"{path}: cannot be read ({error}). Train again.") from error

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        self._write("metrics.json", (json.dumps(metrics, indent=1, allow_nan=False) + "\n").encode())

    def write_record(self, what: RunKind, record: dict[str, Any]) -> None:
        """Write run.json: the kind of the run, its data, configuration, versions and cost."""
        self._write("run.json", json.dumps({"what": what, **record}, indent=2).encode())

    def read_record(self, what: RunKind | None = None) -> dict[str, Any]:
        """Return run.json.

        Parameters
        ----------
        what
            Kind that the run must be of; None: any.

        Raises
        ------
        InputError
            The training has not finished, is of another kind, or the file is damaged or of an earlier version.
        """
        path = self.path / "run.json"
        if not path.exists():
            raise InputError(
                f"{path}: does not exist, so no training has finished in {self.path}: train first, `tenfold train "
                "--help`; an interrupted training continues with --resume"
            )
        record = read_json(path, "Train again.")
        if (kind := record.get("what")) not in KINDS:
            stated = f"its `what` is {kind!r}" if "what" in record else "it has no `what`"
            raise InputError(
                f"{path}: damaged, or written by an earlier version of tenfold: {stated}, where one of "
                f"{', '.join(KINDS)} is expected. Train again, in another folder."
            )
        if what not in (None, kind):
            raise InputError(f"{self.path}: is a run of `tenfold train {kind}`, not of `tenfold train {what}`")
        for name, kind in _RECORD.items():
            try:
                if name in record:
                    TypeAdapter(kind).validate_python(record[name], strict=True)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(map(str, (name, *problem["loc"])))
                raise InputError(f"{path}: damaged, {where}: {problem['msg']}. Train again.") from None
        lengths = {name: len(record[name]) for name in ("names", "sigma_factor", "low", "high") if name in record}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{count} {name}" for name, count in lengths.items())
            raise InputError(f"{path}: damaged, {counts}, where all must have the same length. Train again.")
        return _Record(path, record)

    def find_data(self, record: dict[str, Any]) -> Path:
        """Return the folder of the shards that run.json names, or the one of that name beside a run that was moved.

        Raises
        ------
        InputError
            The shards are in neither.
        """
        stated = Path(record["data"])
        for folder in (stated, self.path.parent / stated.name):
            if (folder / "manifest.json").exists():
                return folder
        raise InputError(
            f"{self.path}: was trained on {stated}, which does not exist. Put the shards back, there or beside the run."
        )

    def _write(self, name: str, content: bytes) -> None:
        with replacing(self.path / name) as temporary:
            temporary.write_bytes(content)
