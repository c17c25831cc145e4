"""Tables of labels for molecules in other files."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers import molecule_table
from tenfold.pipelines.readers.archives import DataFile
from tenfold.pipelines.readers.molecule_table import unique_names
from tenfold.pipelines.readers.numbers import parse_number

_NAMES = ("mol_id", "file", "filename", "name", "title", "id", "index")


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """A table of labels."""

    source: str
    """File, for messages."""
    columns: tuple[str, ...]
    key: str
    """Column that identifies the molecule of a row; empty if there is none."""
    rows: tuple[dict[str, str], ...]
    """Cells by column, in the order of the file."""
    by_name: dict[str, dict[str, str]]
    """Rows by the name of the molecule; empty without `key`."""
    duplicate: str
    """Location of a molecule that occurs twice; empty: there is none."""
    digest: str
    """Hexadecimal digest of the content."""

    def find(self, names: list[str]) -> dict[str, str] | None:
        """Return the row of a molecule known by any of these names; None if there is none."""
        return next((self.by_name[name] for name in names if name and name in self.by_name), None)

    def check_key(self, by: str) -> None:
        """Check that rows can be matched by ``by``: name or order.

        Raises
        ------
        InputError
            Rows are matched by name, and no column identifies the molecule, or one occurs twice.
        """
        if by == "name" and self.duplicate:
            raise InputError(
                f"{self.source}, {self.duplicate}. Rename the column that identifies the molecule to file."
            )
        if by == "name" and not self.key:
            raise InputError(
                f"{self.source}: no column identifies the molecule of a row ({', '.join(_NAMES)}); its columns are "
                f"{', '.join(self.columns)}. Add one; or, if the rows are in the order of the molecules, use "
                "--set ingest.labels_by=order."
            )


def read_labels(piece: DataFile) -> LabelTable:
    """Read a table of labels.

    Columns are separated by commas, tabs, semicolons or whitespace. The column of the molecule is `mol_id`, `file`,
    `filename`, `name`, `title`, `id` or `index`, otherwise the first column unless it holds only numbers. A table with
    whitespace separators whose first row has a number in its second column has no header: its columns are called
    column_1, column_2 and so on.

    Raises
    ------
    InputError
        The table is empty, or a row does not match its header.
    """
    return _read(piece, piece.path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(piece: DataFile, mtime_ns: int) -> LabelTable:
    del mtime_ns  # part of the cache key: a file that was rewritten is read again
    columns, rows = _table(piece)
    key = next((name for name in _NAMES if name in columns), "")
    if not key and not all(_is_number(row[columns[0]]) for _, row in rows):
        key = columns[0]
    by_name: dict[str, dict[str, str]] = {}
    duplicate = ""
    for line, row in rows if key else ():
        name = row[key].strip()
        if name in by_name and not duplicate:
            duplicate = f"line {line}: {key} {name!r} occurs twice"
        elif name:
            by_name[name] = row
    content = json.dumps([columns, [list(row.values()) for _, row in rows]])
    return LabelTable(
        source=piece.name,
        columns=columns,
        key=key,
        rows=tuple(row for _, row in rows),
        by_name=by_name,
        duplicate=duplicate,
        digest=hashlib.blake2b(content.encode(), digest_size=16).hexdigest(),
    )


def candidate_names(title: str, source: str) -> list[str]:
    """Names by which a table may identify a molecule: its title, and the names of its file (`candidate_file_names`)."""
    return [title, *candidate_file_names(source)]


def candidate_file_names(source: str) -> list[str]:
    """Names by which a table may identify a file: its path with ever fewer folders; its name without extension."""
    path = PurePosixPath(source)
    parts = path.parts
    return [*("/".join(parts[n:]) for n in range(len(parts))), path.stem.split(".")[0]]


def _table(piece: DataFile) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    with piece.lines() as lines:
        first = next((line for line in lines if line.strip()), "")
        start = lines.line - 1
        if not first:
            raise InputError(f"{piece.name}: empty; a table of labels has a row of column names")
        if not any(delimiter in first.strip() for delimiter in ",\t;"):
            return _whitespace_table(piece, start, first, lines)
    with piece.lines() as lines:
        for _ in range(start - 1):
            next(lines)
        table = molecule_table.read_header(lines, piece.name)
        rows = []
        for entry in molecule_table.read_records(lines, table, table.columns[0]):
            if entry.problem:
                raise InputError(f"{piece.name}, line {entry.line}: {entry.problem}. Correct it.")
            rows.append((entry.line, entry.fields))
    return table.columns, rows


def _whitespace_table(piece: DataFile, start: int, first: str, below: Iterator[str]):
    texts = [(start, first.split()), *((n, line.split()) for n, line in enumerate(below, start + 1) if line.strip())]
    names = tuple(texts[0][1])
    if len(names) > 1 and _is_number(names[1]):
        columns = tuple(f"column_{n + 1}" for n in range(len(names)))
    else:
        columns = unique_names(names)
        del texts[0]
    for line, row in texts:
        if len(row) != len(columns):
            problem = f"{len(row)} fields where the first row has {len(columns)}"
            raise InputError(f"{piece.name}, line {line}: {problem}. Correct it.")
    return columns, [(line, dict(zip(columns, row, strict=True))) for line, row in texts]


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True
