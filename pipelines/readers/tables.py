"""Tables of parameters that stand beside files which do not carry their own."""

import csv
from dataclasses import dataclass
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.volume import UnusableFileError, canonical


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a table says of one file."""

    simulation: str
    parameters: dict[str, float]


def read_table(path: Path) -> dict[str, Row]:
    """Read a CSV table: a column `file` (name without folder), parameters by name, and perhaps `simulation`.

    Parameters
    ----------
    path
        Files of one simulation have the same `simulation`, and then never part at the splitting.

    Returns
    -------
    dict
        By file name.

    Raises
    ------
    InputError
        The table cannot be read, has no column `file`, an unknown parameter, a value that is no
        number, or a file twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as opened:
            lines = csv.DictReader(opened, strict=True)
            columns = lines.fieldnames or []
            if "file" not in columns:
                raise InputError(f"{path}: a table of parameters needs a column 'file'; found {', '.join(columns)}")
            names = [name for name in columns if name not in ("file", "simulation")]
            table: dict[str, Row] = {}
            for line in lines:
                where = f"line {lines.line_num}"
                if line["file"] in table:
                    raise InputError(f"{path}, {where}: {line['file']} stands there twice")
                try:
                    values = [float(line[name] or "") for name in names]
                except ValueError as error:
                    raise InputError(f"{path}, {where}: {error}") from error
                parameters = canonical(names, values, path, where)
                table[line["file"]] = Row(simulation=line.get("simulation") or "", parameters=parameters)
    except UnusableFileError as error:
        raise InputError(str(error)) from error
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the table of parameters cannot be read ({error})") from error
    return table
