"""Columns of an input file of molecules that are copied to a table of predictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.molecules import MoleculeFile, read_records

MAX_COLUMNS = 1000
"""Largest number of distinct data items of an SD file, or keys of an XYZ file, that become columns."""


@dataclass(frozen=True, kw_only=True)
class InputColumns:
    """Columns of an input file, and the cells of a molecule in them."""

    header: tuple[str, ...]
    """Column names. Those of a table are unchanged, including empty and duplicate names."""
    attributes: tuple[str, ...] = ()
    """Attributes of an `MoleculeRecord` in the first columns, for an SD or XYZ file."""
    keys: tuple[str, ...] = ()
    """Data items or keys in the columns after them, for an SD or XYZ file."""

    @classmethod
    def of(cls, described: MoleculeFile) -> "InputColumns":
        """Find the columns of a file; an SD or XYZ file is read completely to find those of all molecules.

        Raises
        ------
        InputError
            An SD or XYZ file has more than 1,000 distinct items.
        """
        if described.table is not None:
            return cls(header=described.table.header)
        keys: dict[str, None] = {}
        with described.data.lines(described.start) as lines:
            for entry in read_records(described, lines):
                keys.update(dict.fromkeys(entry.fields))
                if len(keys) > MAX_COLUMNS:
                    raise InputError(
                        f"{described.data.name}, line {entry.line}: more than {MAX_COLUMNS:,} different data items, "
                        "each of which would be a column. Remove some, or predict parts of the file."
                    )
        attributes = {"molecule": "text"} | ({"comment": "comment"} if described.format == "xyz" else {})
        names = unique_names(tuple(attributes), tuple(keys))
        return cls(header=(*names, *keys), attributes=tuple(attributes.values()), keys=tuple(keys))

    def cells(self, entry: MoleculeRecord) -> list[str]:
        """Return one cell per column for a molecule; a row longer than the header is cut."""
        if self.attributes:
            values = [getattr(entry, name) for name in self.attributes]
            return [*values, *(entry.fields.get(key, "") for key in self.keys)]
        row = list(entry.fields.values()) or list(entry.cells) or [entry.text]
        return [*row, *[""] * (len(self.header) - len(row))][: len(self.header)]

    def surplus_cells(self, entry: MoleculeRecord) -> str:
        """Return the cells of a table's row beyond the header as text; empty if there are none."""
        surplus = entry.cells[len(self.header) :] if not self.attributes else ()
        return ", ".join(map(repr, surplus))


def unique_names(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return names that differ from others and from each other, by adding a number as in `logp_pred_2`."""
    taken = set(others)
    unique = []
    for name in names:
        free = next(candidate for candidate in _numbered(name) if candidate not in taken)
        taken.add(free)
        unique.append(free)
    return tuple(unique)


def _numbered(name: str) -> Iterator[str]:
    yield name
    n = 2
    while True:
        yield f"{name}_{n}"
        n += 1
