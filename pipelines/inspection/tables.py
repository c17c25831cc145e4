"""Inspection of tables of parameters."""

from pathlib import Path

from tenfold.pipelines.inspection.inspection import Inspection
from tenfold.pipelines.readers import npy
from tenfold.pipelines.readers.binary_tables import read_any_table
from tenfold.pipelines.readers.parameter_table import ParameterRow, read_parameter_table

LARGEST_COLUMNS = 64
"""Largest number of columns of an array that is taken for a table of parameters."""


def inspect_table(path: Path) -> Inspection:
    """Inspect a table of parameters.

    Raises
    ------
    InputError
        The file is not such a table.
    """
    names = _unnamed_columns(path)
    columns = read_any_table(path, names).names
    table = read_parameter_table(path, columns=names)
    facts = {"columns": f"{len(columns)}, without names" if names else ", ".join(columns)}
    if len(table.shape) > 1:
        facts["rows"] = f"{' × '.join(map(str, table.shape))}; those of one index of the first axis are one simulation"
    for name in table.rows[0].parameters:
        facts[name] = _range(name, table.rows)
    if table.files:
        facts["rows by"] = f"file, such as {next(iter(table.files))}"
    elif table.simulations:
        facts["rows by"] = f"simulation, such as {next(iter(table.simulations))}"
    else:
        facts["rows by"] = "number, from 0: name it by {simulation} in ingest.pattern, or take the rows in order"
    named = f' --set "ingest.table_columns=[{",".join(names)}]"' if names else ""
    return Inspection(
        path=path, kind=f"table of parameters of {len(table.rows):,} files or simulations", facts=facts,
        command=f"tenfold ingest volumes FILES --set ingest.table={path}{named} --out data",
    )  # fmt: skip


def _unnamed_columns(path: Path) -> list[str]:
    """Return names for the columns of an array, none for any other table."""
    with path.open("rb") as file:
        if not file.read(len(npy.MAGIC)).startswith(npy.MAGIC):
            return []
    shape, dtype, *_ = npy.inspect_array(path)
    if dtype.names or len(shape) < 2 or shape[-1] > LARGEST_COLUMNS:
        return []
    return [f"COLUMN_{number}" for number in range(1, shape[-1] + 1)]


def _range(name: str, rows: tuple[ParameterRow, ...]) -> str:
    values = [row.parameters[name] for row in rows]
    low, high = min(values), max(values)
    return f"{low:g}, the same in all rows" if low == high else f"{low:g} to {high:g}"
