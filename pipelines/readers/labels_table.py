"""Tables of labels for molecules that stand in other files: a column says which molecule a row is about."""

import csv
from functools import lru_cache
from pathlib import PurePosixPath

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.archives import Piece

_NAMES = ("mol_id", "file", "filename", "name", "title", "id", "index")


@lru_cache(maxsize=2)
def read_labels(piece: Piece) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
    """Read a table of labels.

    Columns are separated by commas, tabs, semicolons or blanks. The molecule's column is `mol_id`, `file`, `name`,
    `title`, `id` or `index`, or else the first. A table of blanks whose first row has a number in its second place has
    no header: its columns are called column_1, column_2 and so on.

    Returns
    -------
    columns, rows
        Rows by the molecule's name, each a dict of texts by column.

    Raises
    ------
    InputError
        It is empty, or names a molecule twice.
    """
    with piece.lines() as lines:
        texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise InputError(f"{piece.name}: empty; a table of labels has a row of column names")
    delimiter = max(",\t;", key=texts[0].count)
    if delimiter in texts[0]:
        table = list(csv.reader(texts, delimiter=delimiter))
    else:
        table = [text.split() for text in texts]
        if len(table[0]) > 1 and _number(table[0][1]):
            table.insert(0, [f"column_{n + 1}" for n in range(len(table[0]))])
    columns = tuple(name.strip() for name in table[0])
    key = next((columns.index(name) for name in _NAMES if name in columns), 0)
    rows: dict[str, dict[str, str]] = {}
    for row in table[1:]:
        name = row[key].strip() if key < len(row) else ""
        if name in rows:
            raise InputError(
                f"{piece.name}: {columns[key]} {name!r} stands there twice. Name the molecule's column file."
            )
        rows[name] = dict(zip(columns, row, strict=False))
    return columns, rows


def names_of(title: str, source: str) -> list[str]:
    """Names by which a table may know a molecule: its title; its file, with ever fewer folders; that without ending."""
    path = PurePosixPath(source)
    parts = path.parts
    return [title, *("/".join(parts[n:]) for n in range(len(parts))), path.stem.split(".")[0]]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
