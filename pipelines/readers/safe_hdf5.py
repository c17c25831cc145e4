"""Safe access to HDF5 files from untrusted sources.

An HDF5 file can refer to other files, by external links, external storage of a dataset, or virtual datasets. Reading it
could then disclose any file that the process can read. All such references are detected and refused before any value is
read.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers the filters that published suites are compressed with)
import numpy as np

from tenfold.pipelines.readers.unsupported import describe_unsupported
from tenfold.pipelines.readers.volume import UnusableFileError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 100_000
_MAX_LIST_BYTES = 2**20
# Exceptions that h5py raises on files with flipped bits; NumPy or Python detect invalid types and names first.
_DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, NotImplementedError)


def is_hdf5(path: Path) -> bool:
    """Whether a file has the signature of HDF5, possibly behind a user block, as in MATLAB's files."""
    with path.open("rb") as raw:
        return raw.read(len(SIGNATURE)) == SIGNATURE or bool(h5py.is_hdf5(path))


def has_link(path: Path, name: str) -> bool:
    """Whether the root of an HDF5 file has a link of this name. It is not followed; False if the file is damaged."""
    try:
        with h5py.File(path, "r") as file:
            return file.id.links.exists(name.encode())
    except _DAMAGE:
        return False


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, after an inspection of all its objects.

    Raises
    ------
    UnusableFileError
        The file is missing, empty, truncated or not HDF5; it has an external or broken link, a loop of groups, a
        virtual dataset or external storage; or reading it failed.
    """
    try:
        with path.open("rb") as raw:
            head = raw.read(len(SIGNATURE))
    except OSError as error:
        raise UnusableFileError(path, "", f"cannot be read ({error.strerror})") from error
    if not head:
        raise UnusableFileError(path, "", "empty file")
    try:
        file = h5py.File(path, "r")
    except _DAMAGE as error:
        if not head.startswith(SIGNATURE):
            raise UnusableFileError(path, "", describe_unsupported(path)) from error
        raise UnusableFileError(
            path, "", f"not a complete HDF5 file, truncated or damaged ({_first_line(error)})"
        ) from error
    with file:
        try:
            _inspect_objects(file, path)
            yield file
        except UnusableFileError:
            raise
        except _DAMAGE as error:
            raise UnusableFileError(path, "", f"damaged: HDF5 could not read it ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip("'\"").splitlines() or [type(error).__name__])[0][:200]


def _inspect_objects(file: h5py.File, path: Path) -> None:
    """Inspect all objects along hard links, by the low-level interface, which resolves no link itself."""
    seen: set[int] = set()
    ancestors: list[int] = []
    soft_links: list[str] = []

    def walk(group: h5py.h5g.GroupID, name: str) -> None:
        address = h5py.h5o.get_info(group).addr
        if address in ancestors:
            raise UnusableFileError(path, name, "loop of groups refused")
        if address in seen:
            return
        if len(ancestors) > 64:
            raise UnusableFileError(path, name, "groups nested more than 64 deep refused")
        seen.add(address)
        ancestors.append(address)
        for link in group:
            inspect(group, link, f"{name}/{link.decode(errors='replace')}")
        ancestors.pop()

    def inspect(group: h5py.h5g.GroupID, link: bytes, name: str) -> None:
        kind = group.links.get_info(link).type
        if kind == h5py.h5l.TYPE_EXTERNAL:
            raise UnusableFileError(path, name, "external link refused: it refers to another file")
        if kind == h5py.h5l.TYPE_SOFT:
            soft_links.append(name)
            return
        if kind != h5py.h5l.TYPE_HARD:
            raise UnusableFileError(path, name, "user-defined link refused")
        if len(seen) > _MAX_OBJECTS:
            raise UnusableFileError(path, name, f"more than {_MAX_OBJECTS} objects refused")
        info = h5py.h5o.get_info(group, link)
        if info.type == h5py.h5o.TYPE_GROUP:
            walk(h5py.h5g.open(group, link), name)
        elif info.type == h5py.h5o.TYPE_DATASET:
            seen.add(info.addr)
            creation = h5py.h5d.open(group, link).get_create_plist()
            if creation.get_layout() == h5py.h5d.VIRTUAL:
                raise UnusableFileError(path, name, "virtual dataset refused: it is assembled from other files")
            if creation.get_external_count():
                raise UnusableFileError(path, name, "external storage refused: its values are stored in another file")

    walk(file.id, "")
    for name in soft_links:  # checked last: without external links, a soft link cannot leave this file
        try:
            h5py.h5o.get_info(file.id, name.encode())
        except (KeyError, RuntimeError, OSError) as error:
            raise UnusableFileError(
                path, name, "soft link refused: it is circular or its target does not exist"
            ) from error


def get_dataset(file: h5py.File, key: str, path: Path) -> h5py.Dataset:
    """Return a dataset of numbers or text, after a check that all its values are stored.

    Raises
    ------
    UnusableFileError
        The key is missing or not a dataset, or less data is stored than its shape requires.
    """
    array = file.get(key)
    if array is None:
        available = ", ".join(sorted(file)[:12]) or "nothing"
        raise UnusableFileError(path, key, f"missing key; the file contains {available}")
    if not isinstance(array, h5py.Dataset):
        raise UnusableFileError(path, key, "is a group, not a dataset")
    if array.shape is None or (array.dtype.kind not in "iufS" and h5py.check_string_dtype(array.dtype) is None):
        raise UnusableFileError(path, key, f"contains {array.dtype}, not an array of numbers")
    stored, required = array.id.get_storage_size(), math.prod(array.shape) * array.dtype.itemsize
    if required and not stored:
        reason = (
            f"shape {array.shape} requires {required:,} bytes, but 0 are stored: never written; {_unwritten(array)}"
        )
        raise UnusableFileError(path, key, reason)
    if required and array.chunks:
        n_stored = array.id.get_num_chunks()
        n_chunks = math.prod(-(-side // chunk) for side, chunk in zip(array.shape, array.chunks, strict=True))
        if n_stored < n_chunks:
            reason = f"shape {array.shape} has {n_chunks:,} chunks, but {n_stored:,} are stored"
            reason += f"; the other {n_chunks - n_stored:,} were never written: {_unwritten(array)}"
            raise UnusableFileError(path, key, reason)
    elif stored < required:
        reason = f"shape {array.shape} requires {required:,} bytes, but {stored:,} are stored"
        raise UnusableFileError(path, key, reason)
    return array


def _unwritten(array: h5py.Dataset) -> str:
    return f"they would be read as the fill value {array.fillvalue}; the file was not written completely"


def list_datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all numeric datasets by their full names, sorted by name."""
    shapes: dict[str, tuple[int, ...]] = {}

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "iuf":
            shapes[name] = item.shape

    file.visititems(collect)
    return dict(sorted(shapes.items()))


def mask_values(array: h5py.Dataset, path: Path) -> tuple[float, ...]:
    """Return the values of masked pixels of a dataset: ``_FillValue``, ``missing_value``, or HDF5's fill value.

    HDF5's fill value is used only if the file sets it explicitly and it is negative or, for real numbers, not 0.

    Raises
    ------
    UnusableFileError
        ``scale_factor`` or ``add_offset`` indicate packed values.
    """
    attributes = dict(array.attrs) if len(array.attrs) else {}
    for name, default in (("scale_factor", 1), ("add_offset", 0)):
        if name in attributes and not np.all(np.asarray(attributes[name]) == default):
            reason = f"its attribute {name} {attributes[name]} indicates packed values: unpack them first"
            raise UnusableFileError(path, array.name or "", reason)
    fill_values = [attributes[name] for name in ("_FillValue", "missing_value") if name in attributes]
    creation = array.id.get_create_plist()
    if creation.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        fill_values += (
            [array.fillvalue] if array.fillvalue < 0 or (array.dtype.kind == "f" and array.fillvalue > 0) else []
        )
    values = [np.asarray(value).reshape(-1) for value in fill_values]
    return tuple({float(v) for array in values if array.dtype.kind in "iuf" for v in array if np.isfinite(v)})


def read_numbers(file: h5py.File, key: str, path: Path, ndim: int = 1) -> np.ndarray:
    """Read a small numeric dataset, such as parameters or redshifts.

    Parameters
    ----------
    ndim
        Required number of axes.

    Raises
    ------
    UnusableFileError
        As for `get_dataset`; also if it is too large, not numeric, or has another number of axes.
    """
    values = _small(file, key, path)
    if values.dtype.kind not in "iuf" or values.ndim != ndim:
        raise UnusableFileError(
            path, key, f"contains {values.dtype} {values.shape}; expected a {ndim}-dimensional array of numbers"
        )
    return values


def read_names(file: h5py.File, key: str, path: Path) -> list[str]:
    """Read a small dataset of names of fixed or variable length.

    Raises
    ------
    UnusableFileError
        As for `get_dataset`; also if it is too large, or not a list of names.
    """
    values = _small(file, key, path)
    if values.dtype.kind not in "SO" or values.ndim != 1:
        raise UnusableFileError(path, key, f"contains {values.dtype} {values.shape}; expected a list of names")
    return [as_text(name) for name in values]


def _small(file: h5py.File, key: str, path: Path) -> np.ndarray:
    array = get_dataset(file, key, path)
    if array.size * array.dtype.itemsize > _MAX_LIST_BYTES:
        raise UnusableFileError(path, key, f"shape {array.shape} is too large; expected a short list")
    return np.asarray(array[()])


def find_units(*attributes: Mapping[str, object]) -> str | None:
    """Return the unit from the first attributes that have ``units`` or ``unit``; None if none do."""
    for mapping in attributes:
        for name in ("units", "unit", "Units", "Unit", "UNITS", "UNIT"):
            if name in mapping:
                return as_text(mapping[name]).strip()
    return None


def as_text(value: object) -> str:
    """Convert an attribute or name to text, from bytes, a NumPy string or an array of one element."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
