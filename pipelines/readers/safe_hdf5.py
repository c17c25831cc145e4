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
_MOST_OBJECTS = 100_000
_LARGEST_LIST = 2**20
# What h5py was seen to raise on files with flipped bits: an impossible type or name shows in NumPy or Python first.
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
        raise UnusableFileError(path, "", f"not a whole HDF5 file, truncated or damaged ({_short(error)})") from error
    with file:
        try:
            _look_through(file, path)
            yield file
        except UnusableFileError:
            raise
        except _DAMAGE as error:
            raise UnusableFileError(path, "", f"damaged: HDF5 could not read it ({_short(error)})") from error


def _short(error: Exception) -> str:
    return (str(error).strip("'\"").splitlines() or [type(error).__name__])[0][:200]


def _look_through(file: h5py.File, path: Path) -> None:
    """Inspect all objects along hard links, by the low-level interface, which resolves no link itself."""
    seen: set[int] = set()
    above: list[int] = []
    soft: list[str] = []

    def walk(group: h5py.h5g.GroupID, name: str) -> None:
        address = h5py.h5o.get_info(group).addr
        if address in above:
            raise UnusableFileError(path, name, "loop of groups refused")
        if address in seen:
            return
        if len(above) > 64:
            raise UnusableFileError(path, name, "groups nested more than 64 deep refused")
        seen.add(address)
        above.append(address)
        for link in group:
            look(group, link, f"{name}/{link.decode(errors='replace')}")
        above.pop()

    def look(group: h5py.h5g.GroupID, link: bytes, name: str) -> None:
        kind = group.links.get_info(link).type
        if kind == h5py.h5l.TYPE_EXTERNAL:
            raise UnusableFileError(path, name, "external link refused: it leads to another file")
        if kind == h5py.h5l.TYPE_SOFT:
            soft.append(name)
            return
        if kind != h5py.h5l.TYPE_HARD:
            raise UnusableFileError(path, name, "user-defined link refused")
        if len(seen) > _MOST_OBJECTS:
            raise UnusableFileError(path, name, f"more than {_MOST_OBJECTS} objects refused")
        about = h5py.h5o.get_info(group, link)
        if about.type == h5py.h5o.TYPE_GROUP:
            walk(h5py.h5g.open(group, link), name)
        elif about.type == h5py.h5o.TYPE_DATASET:
            seen.add(about.addr)
            plan = h5py.h5d.open(group, link).get_create_plist()
            if plan.get_layout() == h5py.h5d.VIRTUAL:
                raise UnusableFileError(path, name, "virtual dataset refused: it is put together from other files")
            if plan.get_external_count():
                raise UnusableFileError(path, name, "external storage refused: its values lie in another file")

    walk(file.id, "")
    for name in soft:  # last: now that no external link is left, a soft one can only lead around in this file
        try:
            h5py.h5o.get_info(file.id, name.encode())
        except (KeyError, RuntimeError, OSError) as error:
            raise UnusableFileError(path, name, "soft link refused: it loops or leads nowhere") from error


def get_dataset(file: h5py.File, key: str, path: Path) -> h5py.Dataset:
    """Return a dataset of numbers or text, after a check that all its values are stored.

    Raises
    ------
    UnusableFileError
        The key is missing or not a dataset, or less data is stored than its shape requires.
    """
    found = file.get(key)
    if found is None:
        held = ", ".join(sorted(file)[:12]) or "nothing"
        raise UnusableFileError(path, key, f"missing key; the file holds {held}")
    if not isinstance(found, h5py.Dataset):
        raise UnusableFileError(path, key, "is a group, not a dataset")
    if found.shape is None or (found.dtype.kind not in "iufS" and h5py.check_string_dtype(found.dtype) is None):
        raise UnusableFileError(path, key, f"holds {found.dtype}, not an array of numbers")
    stored, promised = found.id.get_storage_size(), math.prod(found.shape) * found.dtype.itemsize
    if promised and not stored:
        reason = f"shape {found.shape} promises {promised:,} bytes, and 0 are there: never written; {_unwritten(found)}"
        raise UnusableFileError(path, key, reason)
    if promised and found.chunks:
        there = found.id.get_num_chunks()
        whole = math.prod(-(-side // chunk) for side, chunk in zip(found.shape, found.chunks, strict=True))
        if there < whole:
            reason = f"shape {found.shape} has {whole:,} chunks, and {there:,} are there"
            reason += f"; the other {whole - there:,} were never written: {_unwritten(found)}"
            raise UnusableFileError(path, key, reason)
    elif stored < promised:
        reason = f"shape {found.shape} promises {promised:,} bytes, and {stored:,} are there"
        raise UnusableFileError(path, key, reason)
    return found


def _unwritten(array: h5py.Dataset) -> str:
    return f"they would all read as its fill value, {array.fillvalue}: whoever made the file did not fill it"


def list_datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all numeric datasets by their full names, sorted by name."""
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str, each: h5py.Group | h5py.Dataset) -> None:
        if isinstance(each, h5py.Dataset) and each.shape is not None and each.dtype.kind in "iuf":
            found[name] = each.shape

    file.visititems(note)
    return dict(sorted(found.items()))


def mask_values(array: h5py.Dataset, path: Path) -> tuple[float, ...]:
    """Return the values of masked pixels of a dataset: ``_FillValue``, ``missing_value``, or HDF5's fill value.

    HDF5's fill value is used only if the file sets it explicitly and it is negative or, for real numbers, not 0.

    Raises
    ------
    UnusableFileError
        ``scale_factor`` or ``add_offset`` indicate packed values.
    """
    about = dict(array.attrs) if len(array.attrs) else {}
    for name, usual in (("scale_factor", 1), ("add_offset", 0)):
        if name in about and not np.all(np.asarray(about[name]) == usual):
            reason = f"its attribute {name} {about[name]} says that values are packed: unpack them first"
            raise UnusableFileError(path, array.name or "", reason)
    said = [about[name] for name in ("_FillValue", "missing_value") if name in about]
    plan = array.id.get_create_plist()
    if plan.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        said += [array.fillvalue] if array.fillvalue < 0 or (array.dtype.kind == "f" and array.fillvalue > 0) else []
    values = [np.asarray(each).reshape(-1) for each in said]
    return tuple({float(v) for each in values if each.dtype.kind in "iuf" for v in each if np.isfinite(v)})


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
    found = _small(file, key, path)
    if found.dtype.kind not in "iuf" or found.ndim != ndim:
        raise UnusableFileError(path, key, f"holds {found.dtype} {found.shape} where {ndim}-d numbers are meant")
    return found


def read_names(file: h5py.File, key: str, path: Path) -> list[str]:
    """Read a small dataset of names of fixed or variable length.

    Raises
    ------
    UnusableFileError
        As for `get_dataset`; also if it is too large, or not a list of names.
    """
    found = _small(file, key, path)
    if found.dtype.kind not in "SO" or found.ndim != 1:
        raise UnusableFileError(path, key, f"holds {found.dtype} {found.shape} where a list of names is meant")
    return [as_text(name) for name in found]


def _small(file: h5py.File, key: str, path: Path) -> np.ndarray:
    found = get_dataset(file, key, path)
    if found.size * found.dtype.itemsize > _LARGEST_LIST:
        raise UnusableFileError(path, key, f"shape {found.shape} where a short list is meant")
    return np.asarray(found[()])


def find_units(*attributes: Mapping[str, object]) -> str | None:
    """Return the unit from the first attributes that have ``units`` or ``unit``; None if none do."""
    for about in attributes:
        for name in ("units", "unit", "Units", "Unit", "UNITS", "UNIT"):
            if name in about:
                return as_text(about[name]).strip()
    return None


def as_text(value: object) -> str:
    """Convert an attribute or name to text, from bytes, a NumPy string or an array of one element."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
