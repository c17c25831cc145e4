"""Tables of parameters in FITS, HDF5 and NPY files."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers import fits_files, npy
from tenfold.pipelines.readers.safe_hdf5 import is_hdf5, open_hdf5
from tenfold.pipelines.readers.tables import LARGEST_BYTES, Table, read_text_table
from tenfold.pipelines.readers.volume import UnusableFileError


def read_any_table(path: Path, columns: Sequence[str] = ()) -> Table:
    """Read a table of any supported format, told by content.

    - Text: see `tenfold.pipelines.readers.tables.read_text_table`.
    - FITS: the only table with columns of one value per row.
    - HDF5: one dataset of a compound type, or several of one axis and of equal length (the columns), or one array as
      for NPY.
    - NPY: a structured array, or an array (…, parameters) with a row for each index of the leading axes, in C order.

    Parameters
    ----------
    path
        File.
    columns
        Names of the columns of a file that does not name them.

    Raises
    ------
    InputError
        The file cannot be read, is not one table, has rows of different lengths, or has names and `columns` differs.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(fits_files.MAGIC))
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{path}: has {path.stat().st_size:,} bytes: not a table of parameters")
        if head.startswith(fits_files.MAGIC):
            table = _from_arrays(path, _fits_columns(path))
        elif head.startswith(npy.MAGIC):
            table = _from_array(path, _npy_array(path))
        elif is_hdf5(path):
            table = _hdf5_table(path)
        else:
            table = read_text_table(path)
    except UnusableFileError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise InputError(f"{path}: the table of parameters cannot be read ({error})") from error
    return _named(table, tuple(columns))


def _named(table: Table, columns: tuple[str, ...]) -> Table:
    number = len(table.cells[0])
    if not columns:
        if not table.names:
            raise InputError(
                f"{table.path}: its {number} columns have no names: name them in order, --set "
                "ingest.table_columns=[omega_m,sigma_8,…]"
            )
        return table
    if table.names and table.names != columns:
        raise InputError(
            f"{table.path}: its columns are {', '.join(table.names)}, but ingest.table_columns has "
            f"{', '.join(columns)}: leave it out"
        )
    if len(columns) != number:
        raise InputError(f"{table.path}: {number} columns, but ingest.table_columns has {len(columns)} names")
    return Table(path=table.path, names=columns, positions=table.positions, cells=table.cells, shape=table.shape)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip() if isinstance(value, str) else repr(float(value))  # type: ignore[arg-type]


def _from_arrays(path: Path, columns: Mapping[str, np.ndarray]) -> Table:
    """Return the table of columns, each of shape (rows,)."""
    texts = [[_text(value) for value in column.tolist()] for column in columns.values()]
    cells = tuple(zip(*texts, strict=True))
    return Table(
        path=path, names=tuple(columns), positions=tuple(f"row {n}" for n in range(len(cells))), cells=cells,
        shape=(len(cells),),
    )  # fmt: skip


def _from_array(path: Path, array: np.ndarray) -> Table:
    """Return the table of a structured array, or of an array (…, columns)."""
    if array.dtype.names:
        return _from_arrays(path, {name: array[name] for name in array.dtype.names if array[name].ndim == 1})
    if array.ndim < 2 or array.dtype.kind not in "iuf":
        raise InputError(f"{path}: contains {array.dtype} {array.shape}; expected numbers (rows, parameters)")
    rows = array.reshape(-1, array.shape[-1]).tolist()
    return Table(
        path=path, names=(), positions=tuple(f"row {n}" for n in range(len(rows))),
        cells=tuple(tuple(map(_text, row)) for row in rows), shape=array.shape[:-1],
    )  # fmt: skip


def _fits_columns(path: Path) -> dict[str, np.ndarray]:
    with fits.open(path, memmap=True, ignore_missing_simple=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))]
        tables = [hdu for hdu in tables if not isinstance(hdu, fits.CompImageHDU)]
        if len(tables) != 1:
            raise InputError(
                f"{path}: has {len(tables)} tables; a table of parameters must be the only one of its file"
            )
        data = tables[0].data
        columns = {name: np.array(data[name]) for name in tables[0].columns.names} if data is not None else {}
    return {name: column for name, column in columns.items() if column.ndim == 1}


def _npy_array(path: Path) -> np.ndarray:
    shape, dtype, start, fortran = npy.inspect_array(path)
    if dtype.hasobject:
        raise InputError(f"{path}: contains Python objects, which are never loaded: save it with a numeric dtype")
    return (
        np.array(np.memmap(path, dtype, "r", start, shape, order="F" if fortran else "C"))
        if math.prod(shape)
        else (np.empty(shape, dtype))
    )


def _hdf5_table(path: Path) -> Table:
    with open_hdf5(path) as file:
        found: dict[str, np.ndarray] = {}

        def collect(name: str, item: object) -> None:
            if hasattr(item, "shape") and hasattr(item, "dtype") and item.shape and item.dtype.kind in "iufSOV":  # type: ignore[attr-defined]
                found[name] = item  # type: ignore[assignment]

        file.visititems(collect)
        compound = [name for name, item in found.items() if item.dtype.names]
        if len(compound) == 1:
            return _from_array(path, found[compound[0]][()])
        plain = {name: item for name, item in found.items() if not item.dtype.names}
        lengths = {item.shape for item in plain.values()}
        if len(plain) == 1 and len(next(iter(lengths))) > 1:
            return _from_array(path, next(iter(plain.values()))[()])
        if not compound and len(lengths) == 1 and len(next(iter(lengths))) == 1:
            return _from_arrays(path, {name.rpartition("/")[2]: item[()] for name, item in plain.items()})
    listed = ", ".join(f"{name} {item.shape}" for name, item in list(found.items())[:8]) or "no dataset"
    raise InputError(
        f"{path}: contains {listed}; a table of parameters is one compound dataset, columns of equal length, or one "
        "array (rows, parameters)"
    )
