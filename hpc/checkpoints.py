"""Checkpoints that survive a kill: one file each, complete under its name or not there, with a SHA-256 inside."""

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

FORMAT = 1
HEADER = "header"
NAME = re.compile(r"step-(\d{8,})\.npz")

_DAMAGED = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError,
    zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy, zipfile and json raise of files that are damaged, on purpose or not."""

logger = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or is not what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """What was saved."""

    path: Path
    step: int
    """Optimizer steps taken since the beginning of the run."""
    arrays: dict[str, np.ndarray]
    """Name -> array, every bit and dtype as saved."""
    state: dict[str, Any]
    """What else was saved, as JSON gives it back (tuples come back as lists)."""


def save(folder: Path, step: int, arrays: dict[str, np.ndarray], state: dict[str, Any], *, keep: int = 3) -> Path:
    """Write folder/step-XXXXXXXX.npz and remove older checkpoints but the last `keep`.

    The file appears under its name complete, after it reached the disk. One process alone may write to a folder.

    Parameters
    ----------
    arrays
        Numeric or boolean arrays of any shape (bfloat16 too).
    state
        Anything JSON can hold: integers of any size, and floats exactly.

    Raises
    ------
    ValueError
        If `step` or `keep` cannot be, or an array holds something else than numbers.
    OSError
        If the folder cannot be written.
    """
    if step < 0:
        raise ValueError(f"step: {step}; valid are integers >= 0.")
    if keep < 1:
        raise ValueError(f"keep: {keep}; valid are integers >= 1.")
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
    for stale in folder.glob(".step-*.tmp"):  # of a run that was killed while it wrote
        if NAME.fullmatch(stale.name.removeprefix(".").removesuffix(".tmp")):
            stale.unlink(missing_ok=True)
    path = folder / f"step-{step:08d}.npz"
    temporary = folder / f".{path.name}.tmp"
    # npz knows NumPy's own dtypes only, and names that are good file names: both stand in the header instead
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
    _sync(folder)
    # files beyond this step are of a future that was given up (see latest): they do not count, and are left alone
    earlier = [other for other in _paths(folder) if _step(other) <= step]
    for old in earlier[:-keep]:
        old.unlink(missing_ok=True)
    return path


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and check it against its SHA-256.

    Raises
    ------
    CheckpointError
        If it is truncated, changed, of another format, or no checkpoint at all.
    """
    try:
        # opened here: np.load does not close a file that turns out to be no archive
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
                raise ValueError("its header is not of this format")
    except CheckpointError:
        raise
    except _DAMAGED as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint ({error}); use an earlier one.") from error
    if _digest(stored[32:], list(arrays.values())) != digest:
        raise CheckpointError(f"{path}: its SHA-256 is not that of its contents; use an earlier one.")
    return Checkpoint(path=path, step=step, arrays=arrays, state=state)


def latest(folder: Path) -> Checkpoint | None:
    """Read the checkpoint of the highest step that is whole; None where there is none.

    Damaged ones are reported as warnings of this module's logger and passed over, not removed.
    """
    for path in reversed(_paths(folder)):
        try:
            return load(path)
        except CheckpointError as error:
            logger.warning("Passed over a damaged checkpoint: %s", error)
    return None


def _paths(folder: Path) -> list[Path]:
    """Checkpoints of a folder by step, whole or not."""
    return sorted((path for path in folder.glob("step-*.npz") if NAME.fullmatch(path.name)), key=_step)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _dtype_name(name: str, dtype: np.dtype) -> str:
    """Name under which NumPy finds the dtype again; byte order included."""
    if dtype.kind in "biufc":
        return dtype.str
    if dtype.name == "bfloat16":
        return dtype.name
    raise ValueError(f"arrays[{name!r}] is of {dtype}; a checkpoint holds numbers only.")


def _bytes(array: np.ndarray) -> np.ndarray:
    """All of an array's bytes in C order, (nbytes,) uint8."""
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


def _sync(folder: Path) -> None:
    """Make the renaming itself last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
