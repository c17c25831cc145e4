"""The table of parameters: which row belongs to which file or simulation, and its parameters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.binary_tables import read_any_table
from tenfold.pipelines.readers.parameters import DensityConvention, canonical_name
from tenfold.pipelines.readers.tables import parameters_by_row

_SIMULATION_COLUMNS = ("simulation", "name", "Name")
"""Columns that name the simulation; the last two as in CAMELS."""
_WITHOUT_MEANING = ("seed", "Seed")


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """Simulation and parameters of one row."""

    simulation: str
    """Name of the simulation; empty if the table does not name it."""
    parameters: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class ParameterTable:
    """Rows of parameters, by file, by simulation, or in order."""

    path: Path
    rows: tuple[ParameterRow, ...]
    files: dict[str, int]
    """Row by file as written in the table: its name, or the end of its path."""
    simulations: dict[str, int]
    """Row by name of the simulation; empty if the table has no such column, or a row per file."""
    shape: tuple[int, ...]
    """Shape of the rows: (rows,), or the leading axes of an array."""

    def key_of_file(self, file: Path) -> str | None:
        """Return the longest end of a path that the column `file` holds, or None."""
        parts = file.parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if end in self.files), None)

    def row_of_simulation(self, name: str) -> int | None:
        """Return the number of the row of a simulation, by name or, between numbers, by value: 0007 is 7."""
        if name in self.simulations:
            return self.simulations[name]
        if not name.isdecimal():
            return None
        same = [row for other, row in self.simulations.items() if other.isdecimal() and int(other) == int(name)]
        return same[0] if len(same) == 1 else None


def read_parameter_table(
    path: Path,
    densities: DensityConvention | None = None,
    columns: Sequence[str] = (),
    parameters: Collection[str] = (),
) -> ParameterTable:
    """Read a table of parameters.

    The column `file` holds names of files or ends of their paths, `simulation` (or `name`) the name of the simulation;
    files with equal `simulation` are always in the same split. A column `seed` is skipped. All others are parameters.

    Parameters
    ----------
    path
        Table: see `tenfold.pipelines.readers.binary_tables.read_any_table`.
    densities
        Meaning of lower-case density names, if their values do not determine it.
    columns
        Names of the columns of a table that does not name them.
    parameters
        Parameters to learn. If given, columns that are neither among them nor cosmological are skipped.

    Raises
    ------
    InputError
        The table cannot be read, a file or simulation has two rows, or a value is not a number or out of range.
    """
    table = read_any_table(path, columns)
    labels = ["file", *_SIMULATION_COLUMNS, *_WITHOUT_MEANING]
    unused = [name for name in table.names if parameters and name not in parameters and canonical_name(name) is None]
    values = parameters_by_row(table, table.names, [*labels, *unused], densities)
    column = next((name for name in _SIMULATION_COLUMNS if name in table.names), None)
    if not values[0] and column is None:
        raise InputError(f"{path}: has no column of a parameter; its columns are {', '.join(table.names)}")
    simulations = [_integer(name) for name in table.column(column)] if column else [""] * len(values)
    files = table.column("file") if "file" in table.names else ()
    for labelled in (files, () if files else simulations if column else ()):
        seen: set[str] = set()
        for label, position in zip(labelled, table.positions, strict=False):
            if label in seen:
                raise InputError(f"{path}, {position}: {label} occurs twice")
            seen.add(label)
    return ParameterTable(
        path=path,
        rows=tuple(
            ParameterRow(simulation=simulation, parameters=row)
            for simulation, row in zip(simulations, values, strict=True)
        ),
        files={file: n for n, file in enumerate(files)},
        simulations={} if files or not column else {name: n for n, name in enumerate(simulations)},
        shape=table.shape,
    )


def _integer(name: str) -> str:
    """Return the name of a simulation that a binary table holds as a number without its fraction: 7.0 is 7."""
    return name.removesuffix(".0") if name.removesuffix(".0").isdecimal() else name
