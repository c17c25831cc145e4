"""Atomic checkpoints: one file each, either complete or absent, with a SHA-256 checksum."""

import hashlib
import json
import logging
import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.hpc.disk import flush

FORMAT = 1
HEADER = "header"
NAME = re.compile(r"step-(\d{8,})\.npz")

_READ_ERRORS = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError,
    zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""Exceptions that NumPy, zipfile and json raise for damaged files, including maliciously damaged ones."""

logger = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or fails its checksum."""


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint."""

    path: Path
    """Path of the file."""
    step: int
    """Number of optimizer steps since the beginning of the run."""
    arrays: dict[str, np.ndarray]
    """Arrays by name, bit-identical to those saved."""
    state: dict[str, Any]
    """Further state, as restored by JSON (tuples become lists)."""


def save(folder: Path, step: int, arrays: dict[str, np.ndarray], state: dict[str, Any], *, keep: int = 3) -> Path:
    """Write folder/step-XXXXXXXX.npz and remove all but the last `keep` checkpoints.

    The file appears only once it is complete and on disk. Only one process may write to a folder.

    Parameters
    ----------
    folder
        Folder of the checkpoints, created if missing.
    step
        Number of optimizer steps.
    arrays
        Numeric or boolean arrays of any shape, bfloat16 included.
    state
        Any JSON-serialisable state. Integers of any size and floats are restored exactly.
    keep
        Number of checkpoints to keep.

    Returns
    -------
    Path
        The checkpoint.

    Raises
    ------
    ValueError
        `step` or `keep` is out of range, or an array is not numeric.
    OSError
        The folder is not writable.
    """
    if step < 0:
        raise ValueError(f"step: found {step}, must be an integer >= 0.")
    if keep < 1:
        raise ValueError(f"keep: found {keep}, must be an integer >= 1.")
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    dtypes = {name: _dtype_name(name, array.dtype) for name, array in arrays.items()}
    header = json.dumps(
        {
            "format": FORMAT,
            "step": step,
            "state": state,
            "arrays": [[name, dtypes[name], list(array.shape)] for name, array in arrays.items()],
        }
    ).encode()
    digest = _digest(header, list(arrays.values()))
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".step-*.tmp"):  # left by a run that was killed while writing
        if NAME.fullmatch(stale.name.removeprefix(".").removesuffix(".tmp")):
            stale.unlink(missing_ok=True)
    path = folder / f"step-{step:08d}.npz"
    temporary = folder / f".{path.name}.tmp"
    # npz supports only NumPy's own dtypes and valid file names, so the header records both
    members = {f"array_{i}": _bytes(array) for i, array in enumerate(arrays.values())}
    members[HEADER] = np.frombuffer(digest + header, np.uint8)
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **members)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(folder)
    # checkpoints beyond this step belong to an abandoned continuation (see latest): neither counted nor removed
    earlier = [other for other in _paths(folder) if _step(other) <= step]
    for expired in earlier[:-keep]:
        expired.unlink(missing_ok=True)
    return path


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify its SHA-256 checksum.

    Raises
    ------
    CheckpointError
        The file is truncated, modified, of another format, or not a checkpoint.
    """
    try:
        # opened here because np.load does not close a file that is not an archive
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            stored = file[HEADER].tobytes()
            digest, header = stored[:32], json.loads(stored[32:])
            if header["format"] != FORMAT:
                raise CheckpointError(f"{path}: checkpoint format {header['format']}; this version reads {FORMAT}.")
            arrays = {
                name: _array(file[f"array_{i}"], dtype, shape)
                for i, (name, dtype, shape) in enumerate(header["arrays"])
            }
            step, state = header["step"], header["state"]
            if type(step) is not int or step < 0 or not isinstance(state, dict):
                raise ValueError("its header has another format")
    except CheckpointError:
        raise
    except _READ_ERRORS as error:
        raise CheckpointError(f"{path} is not a readable checkpoint ({error}). Use an earlier one.") from error
    if _digest(stored[32:], list(arrays.values())) != digest:
        raise CheckpointError(f"{path}: its SHA-256 checksum does not match its contents. Use an earlier one.")
    return Checkpoint(path=path, step=step, arrays=arrays, state=state)


def latest(folder: Path) -> Checkpoint | None:
    """Read the intact checkpoint with the highest step; None if there is none.

    Damaged checkpoints are skipped with a warning, and not removed.
    """
    for path in reversed(_paths(folder)):
        try:
            return load(path)
        except CheckpointError as error:
            logger.warning("Skipped a damaged checkpoint: %s", error)
    return None


def _paths(folder: Path) -> list[Path]:
    """Checkpoints of a folder by step, intact or not."""
    return sorted((path for path in folder.glob("step-*.npz") if NAME.fullmatch(path.name)), key=_step)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _dtype_name(name: str, dtype: np.dtype) -> str:
    """Name from which NumPy can restore the dtype, including its byte order."""
    if dtype.kind in "biufc":
        return dtype.str
    if dtype.name == "bfloat16":
        return dtype.name
    raise ValueError(f"arrays[{name!r}] has dtype {dtype}; checkpoints hold numeric arrays only.")


def _bytes(array: np.ndarray) -> np.ndarray:
    """Bytes of an array in C order, shape (nbytes,), uint8."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _array(raw: np.ndarray, dtype: str, shape: list[int]) -> np.ndarray:
    if dtype == "bfloat16":
        import ml_dtypes  # noqa: F401  (registers the dtype's name with NumPy)
    elif np.dtype(dtype).kind not in "biufc":
        raise ValueError(f"found an array of {dtype}")
    return raw.view(np.dtype(dtype)).reshape(shape)


def _digest(header: bytes, arrays: list[np.ndarray]) -> bytes:
    digest = hashlib.sha256(header)
    for array in arrays:
        digest.update(_bytes(array).data)
    return digest.digest()
