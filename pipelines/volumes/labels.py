"""Which file is of which simulation, with which parameters: from the pattern of its path, from a table, or both."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.consistency import values_agree
from tenfold.pipelines.readers.formats import count_volumes
from tenfold.pipelines.readers.parameter_table import ParameterRow, ParameterTable, read_parameter_table
from tenfold.pipelines.readers.parameters import canonical_parameters, in_order
from tenfold.pipelines.readers.path_pattern import PathFields, PathPattern
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, file_stem
from tenfold.pipelines.volumes.config import Ingest

log = logging.getLogger("tenfold")

Labelled = tuple[Path, StatedMetadata]
"""A file, or the part of one that is of one simulation, with the user's metadata of it."""


def label_files(files: Sequence[Path], config: Ingest) -> list[Labelled]:
    """Return the metadata of each file, by `Ingest.pattern` and `Ingest.table`.

    A file of many simulations occurs once for each, with the range of its records.

    Parameters
    ----------
    files
        Absolute paths.
    config
        Configuration of the ingest.

    Raises
    ------
    InputError
        No path matches the pattern, the table cannot be read or names none of the files, a row does not exist, pattern
        and table contradict each other, or it is not clear which row belongs to a file.
    """
    pattern = PathPattern.parse(config.pattern, config.parameters) if config.pattern else None
    fields = {path: pattern.match(path) if pattern else None for path in files}
    matching = [path for path in files if pattern is None or fields[path] is not None]
    if pattern and not matching:
        raise InputError(f"ingest.pattern: {config.pattern!r} matches none of {len(files)} files, such as {files[0]}")
    if left_out := len(files) - len(matching):
        log.info("%d of %d files do not match ingest.pattern, and are left out", left_out, len(files))
    stated = config.stated()
    by_path = {path: _from_path(path, fields[path], stated, config) for path in _distinct(matching)}
    if not config.table:
        return list(by_path.items())
    table = read_parameter_table(Path(config.table), config.densities, config.table_columns, config.parameters)
    match _rows_by(table, pattern, list(by_path), config):
        case "file":
            return _by_file(by_path, table)
        case "simulation":
            return _by_simulation(by_path, table, pattern is not None and pattern.simulation)
        case _:
            return _in_order(by_path, table)


def _distinct(files: Sequence[Path]) -> list[Path]:
    """Return the files without further links to the same file."""
    first: dict[Path, Path] = {}
    for path in files:
        first.setdefault(path.resolve(), path)
    return list(first.values())


def _from_path(path: Path, fields: PathFields | None, stated: StatedMetadata, config: Ingest) -> StatedMetadata:
    """Return the stated metadata, completed by the fields of a path."""
    if fields is None:
        return stated
    try:
        parameters = canonical_parameters(
            fields.parameters, fields.parameters.values(), path, "ingest.pattern", config.densities, others=True
        )
    except UnusableFileError as error:
        raise InputError(str(error)) from error
    if fields.redshift is not None and stated.redshifts not in ((), (fields.redshift,)):
        raise InputError(f"{path}: redshift {fields.redshift:g}, but ingest.redshifts is {stated.redshifts}")
    return replace(
        stated,
        simulation=fields.simulation or ", ".join(f"{name}={value:g}" for name, value in parameters.items()),
        parameters=parameters,
        redshifts=stated.redshifts if fields.redshift is None else (fields.redshift,),
    )


def _rows_by(table: ParameterTable, pattern: PathPattern | None, files: Sequence[Path], config: Ingest) -> str:
    """Return what associates rows with files: "file", "simulation" or "order"."""
    if config.table_rows != "auto":
        wanted = {"file": table.files, "simulation": table.simulations or (pattern and pattern.simulation)}
        if not wanted.get(config.table_rows, True):
            raise InputError(f"{table.path}: ingest.table_rows is {config.table_rows}, but it has no such column")
        return config.table_rows
    if table.files:
        return "file"
    if pattern is not None and pattern.simulation:
        return "simulation"
    if len(files) == 1 and len(table.rows) > 1:
        return "order"
    if table.simulations:
        return "simulation"
    raise InputError(
        f"{table.path}: which of its {len(table.rows):,} rows belongs to which of the {len(files):,} files? Add a "
        "column file or simulation; or, if the paths contain the number of the row, counted from 0, mark it: --set "
        "ingest.pattern='{simulation}/…'; or, if the rows are in the order of the files, --set ingest.table_rows=order"
    )


def _with_row(path: Path, stated: StatedMetadata, row: ParameterRow, table: ParameterTable) -> StatedMetadata:
    """Return the metadata of a path, completed by a row of the table."""
    for name, value in stated.parameters.items():
        if name in row.parameters and not values_agree(row.parameters[name], value):
            raise InputError(
                f"{path}: {name} is {value:g} by ingest.pattern, but {row.parameters[name]:g} in {table.path}: correct "
                "one of them"
            )
    parameters = in_order({**row.parameters, **stated.parameters})
    return replace(stated, simulation=row.simulation or stated.simulation, parameters=parameters)


def _by_file(by_path: dict[Path, StatedMetadata], table: ParameterTable) -> list[Labelled]:
    """Return the metadata by the column `file`; files without a row keep those of their path."""
    labelled: list[Labelled] = []
    named: dict[str, Path] = {}
    for path, stated in by_path.items():
        key = table.key_of_file(path)
        if key is None:
            labelled.append((path, stated))
            continue
        if key in named:
            raise InputError(
                f"{table.path}: {key} may be {named[key]} or {path}: give the files' names with enough of their "
                "folders to distinguish them"
            )
        named[key] = path
        of_file = _with_row(path, stated, table.rows[table.files[key]], table)
        if "/" in key and not of_file.simulation:  # equal names in several folders: as many simulations
            of_file = replace(of_file, simulation=key)
        labelled.append((path, of_file))
    if not named:
        raise InputError(
            f"{table.path}: names none of the {len(by_path)} files, such as {next(iter(by_path)).name}; its first row "
            f"is about {next(iter(table.files))}"
        )
    return labelled


def _by_simulation(by_path: dict[Path, StatedMetadata], table: ParameterTable, by_pattern: bool) -> list[Labelled]:
    """Return the metadata by the name of the simulation, which is the number of its row if the table has no names."""
    labelled: list[Labelled] = []
    for path, stated in by_path.items():
        name = stated.simulation if by_pattern else file_stem(path)
        row = table.row_of_simulation(name) if table.simulations else int(name) if name.isdecimal() else None
        if row is None or row >= len(table.rows):
            expected = (
                f"such as {next(iter(table.simulations))}"
                if table.simulations
                else f"its rows are numbered from 0 to {len(table.rows) - 1}"
            )
            raise InputError(f"{table.path}: has no row for simulation {name!r} ({path}); {expected}")
        labelled.append((path, _with_row(path, replace(stated, simulation=name), table.rows[row], table)))
    return labelled


def _in_order(by_path: dict[Path, StatedMetadata], table: ParameterTable) -> list[Labelled]:
    """Return the metadata by the order of the records: an equal number of successive records for each row."""
    rows = table.rows
    files = sorted(by_path, key=_natural_order)
    counts = [1] * len(files)
    if len(files) != len(rows):
        counts = [count_volumes(path, replace(by_path[path], parameters=rows[0].parameters)) for path in files]
    total = sum(counts)
    if not total or total % len(rows):
        raise InputError(
            f"{table.path}: {len(rows):,} rows for {total:,} volumes or maps in {len(files):,} files: in order, each "
            "row must have the same number of them"
        )
    each, start, labelled = total // len(rows), 0, []
    for path, count in zip(files, counts, strict=True):
        if count % each:
            raise InputError(f"{path}: {count:,} volumes or maps, but each row of {table.path} has {each:,}")
        for part in range(count // each):
            number = start // each
            stated = _with_row(path, by_path[path], rows[number], table)
            name = rows[number].simulation or by_path[path].simulation or _row_name(number, table)
            if len(files) != len(rows):
                stated = replace(stated, part=(part * each, (part + 1) * each))
            labelled.append((path, replace(stated, simulation=name)))
            start += each
    return labelled


def _row_name(number: int, table: ParameterTable) -> str:
    """Return the name of the simulation of a row: its index along the first axis of an array of labels."""
    return f"row {number * table.shape[0] // len(table.rows)}"


def _natural_order(path: Path) -> list[tuple[str, int]]:
    """Return the key by which box_2 comes before box_10."""
    return [(text, int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", str(path))]
