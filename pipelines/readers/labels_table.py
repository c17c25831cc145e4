"""Tables of labels for molecules that stand in other files."""

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
    """A table of labels, read whole."""

    source: str
    columns: tuple[str, ...]
    key: str
    """Column that says which molecule a row is about; empty if there is none."""
    rows: tuple[dict[str, str], ...]
    """Texts by column, in the order of the file."""
    by_name: dict[str, dict[str, str]]
    """Rows by the molecule's name; empty without `key`."""
    duplicate: str
    """Where a molecule is named twice; empty: none is."""
    digest: str
    """Of what it says: hexadecimal."""

    def find(self, names: list[str]) -> dict[str, str] | None:
        """The row about a molecule that has some names; None if there is none."""
        return next((self.by_name[name] for name in names if name and name in self.by_name), None)

    def check_key(self, by: str) -> None:
        """Check that rows can be told by `name`.

        Raises
        ------
        InputError
            No column says which molecule a row is about, or two rows are about one.
        """
        if by == "name" and self.duplicate:
            raise InputError(f"{self.source}, {self.duplicate}. Name the molecule's column file.")
        if by == "name" and not self.key:
            raise InputError(
                f"{self.source}: no column says which molecule a row is about ({', '.join(_NAMES)}); its columns are "
                f"{', '.join(self.columns)}. Add one; or, if the rows stand in the order of the molecules, say so: "
                "--set ingest.labels_by=order."
            )


def read_labels(piece: DataFile) -> LabelTable:
    """Read a table of labels.

    Columns are separated by commas, tabs, semicolons or blanks. The molecule's column is `mol_id`, `file`, `filename`,
    `name`, `title`, `id` or `index`, or else the first, unless that holds nothing but numbers. A table of
    blanks whose first row has a number in its second place has no header: its columns are called column_1, column_2 and
    so on.

    Raises
    ------
    InputError
        It is empty, or a row does not fit its header.
    """
    return _read(piece, piece.path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(piece: DataFile, mtime_ns: int) -> LabelTable:
    del mtime_ns  # a file that was written anew is another one
    columns, rows = _table(piece)
    key = next((name for name in _NAMES if name in columns), "")
    if not key and not all(_is_number(row[columns[0]]) for _, row in rows):
        key = columns[0]
    by_name: dict[str, dict[str, str]] = {}
    duplicate = ""
    for line, row in rows if key else ():
        name = row[key].strip()
        if name in by_name and not duplicate:
            duplicate = f"line {line}: {key} {name!r} stands there twice"
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
    """Names by which a table may know a molecule: its title; its file, with ever fewer folders; that without ending."""
    return [title, *candidate_file_names(source)]


def candidate_file_names(source: str) -> list[str]:
    """Names by which a table may know a file: with ever fewer folders; without ending."""
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
            return _of_blanks(piece, start, first, lines)
    with piece.lines() as lines:
        for _ in range(start - 1):
            next(lines)
        table = molecule_table.read_header(lines, piece.name)
        rows = []
        for entry in molecule_table.read_records(lines, table, table.columns[0]):
            if entry.problem:
                raise InputError(f"{piece.name}, line {entry.line}: {entry.problem}. Mend it.")
            rows.append((entry.line, entry.fields))
    return table.columns, rows


def _of_blanks(piece: DataFile, start: int, first: str, below: Iterator[str]):
    texts = [(start, first.split()), *((n, line.split()) for n, line in enumerate(below, start + 1) if line.strip())]
    names = tuple(texts[0][1])
    if len(names) > 1 and _is_number(names[1]):
        columns = tuple(f"column_{n + 1}" for n in range(len(names)))
    else:
        columns = unique_names(names)
        del texts[0]
    for line, row in texts:
        if len(row) != len(columns):
            found = f"{len(row)} fields where the first row has {len(columns)}"
            raise InputError(f"{piece.name}, line {line}: {found}. Mend it.")
    return columns, [(line, dict(zip(columns, row, strict=True))) for line, row in texts]


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True
