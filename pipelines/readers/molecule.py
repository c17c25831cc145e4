"""A molecule as a reader gives it: what stands in the file, not yet understood."""

import hashlib
from dataclasses import dataclass, field
from typing import BinaryIO


class UnusableMoleculeError(ValueError):
    """One molecule cannot be used, and why."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One molecule of a file."""

    line: int
    """Line of the file on which it begins, from 1."""
    text: str
    """What a person knows it by: its SMILES or its title."""
    smiles: str = ""
    """Empty where the file gives none."""
    molfile: str = ""
    """Atoms and bonds as a V2000 or V3000 Molfile."""
    symbols: tuple[str, ...] = ()
    """Elements of the atoms of an XYZ file."""
    positions: tuple[tuple[float, float, float], ...] = ()
    """Of these atoms [Å]."""
    charge: int = 0
    """Of the whole molecule [e], where bonds must be told from distances."""
    fields: dict[str, str] = field(default_factory=dict)
    """Everything else that the file says of it, by column or key, as written."""
    problem: str = ""
    """Why it cannot even be read; empty where it can."""


@dataclass(frozen=True)
class Mark:
    """A place in a file between two molecules."""

    offset: int = 0
    """Bytes before it."""
    line: int = 1
    """Number of the line that begins here."""


BEGINNING = Mark()


class Lines:
    """The lines of a part of a file, decoded; knows where it stands."""

    LONGEST = 2**20

    def __init__(self, file: BinaryIO, mark: Mark, end: int):
        """`end` is where the part ends [bytes from the beginning of the part]; `file` stands at `mark`."""
        self._file, self._end = file, end
        self.offset, self.line = mark.offset, mark.line
        self.digest = hashlib.blake2b(digest_size=16)
        """Of what has been read; whoever wants that of a part sets a new one at its beginning."""

    @property
    def mark(self) -> Mark:
        """Where the next line begins."""
        return Mark(self.offset, self.line)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        raw = self._file.readline(min(self.LONGEST, self._end - self.offset))
        if not raw:
            raise StopIteration
        self.digest.update(raw)
        self.offset += len(raw)
        self.line += raw.endswith(b"\n")
        return raw.decode("utf-8", errors="replace").removeprefix("\ufeff")
