"""What a file of molecules says beside their structures, as columns that a table of predictions keeps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.molecules import MoleculeFile, read_records

MOST_KEYS = 1000
"""Different data items of an SD file, or keys of an XYZ file, that become columns."""


@dataclass(frozen=True, kw_only=True)
class KeptColumns:
    """The columns that are kept of a file, and a molecule's cells in them."""

    header: tuple[str, ...]
    """Of a table: as it stands there, columns without a name and of equal names included."""
    own: tuple[str, ...] = ()
    """Of an SD or XYZ file: attributes of an `Entry` in the first columns."""
    keys: tuple[str, ...] = ()
    """Of an SD or XYZ file: data items or keys in the columns behind."""

    @classmethod
    def of(cls, described: MoleculeFile) -> "KeptColumns":
        """Find the columns of a file: of an SD or XYZ file those of all its molecules, which are read for that.

        Raises
        ------
        InputError
            An SD or XYZ file has more than 1,000 different items.
        """
        if described.table is not None:
            return cls(header=described.table.header)
        keys: dict[str, None] = {}
        with described.data.lines(described.start) as lines:
            for entry in read_records(described, lines):
                keys.update(dict.fromkeys(entry.fields))
                if len(keys) > MOST_KEYS:
                    raise InputError(
                        f"{described.data.name}, line {entry.line}: more than {MOST_KEYS:,} different data items, and "
                        "each would be a column. Leave some out, or predict parts of the file."
                    )
        own = {"molecule": "text"} | ({"comment": "comment"} if described.format == "xyz" else {})
        names = unlike(tuple(own), tuple(keys))
        return cls(header=(*names, *keys), own=tuple(own.values()), keys=tuple(keys))

    def cells(self, entry: MoleculeRecord) -> list[str]:
        """Cells of a molecule, as many as there are columns; those of a row that is too long end with the header."""
        if self.own:
            own = [getattr(entry, name) for name in self.own]
            return [*own, *(entry.fields.get(key, "") for key in self.keys)]
        row = list(entry.fields.values()) or list(entry.cells) or [entry.text]
        return [*row, *[""] * (len(self.header) - len(row))][: len(self.header)]

    def beyond(self, entry: MoleculeRecord) -> str:
        """Cells of a table's row that have no column, as text; empty where there are none."""
        more = entry.cells[len(self.header) :] if not self.own else ()
        return ", ".join(map(repr, more))


def unlike(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Names that differ from others and from each other: one that is there already gets a number, as `logp_pred_2`."""
    taken = set(others)
    found = []
    for name in names:
        own = next(each for each in _numbered(name) if each not in taken)
        taken.add(own)
        found.append(own)
    return tuple(found)


def _numbered(name: str) -> Iterator[str]:
    yield name
    n = 2
    while True:
        yield f"{name}_{n}"
        n += 1
