"""A molecule as a reader gives it: what stands in the file, not yet understood."""

import hashlib
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any

from tenfold.pipelines.errors import InputError


class UnusableMoleculeError(ValueError):
    """One molecule cannot be used, and why."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class MoleculeRecord:
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
    cells: tuple[str, ...] = ()
    """Of a table's row that does not fit the header: what stands in it. Empty elsewhere."""
    comment: str = ""
    """Of an XYZ frame: its comment line, whole."""


@dataclass(frozen=True)
class FilePosition:
    """A place in a file between two molecules."""

    offset: int = 0
    """Bytes before it."""
    line: int = 1
    """Number of the line that begins here."""


FILE_START = FilePosition()


class LineReader:
    """The lines of a part of a file, decoded; knows where it stands.

    A line ends with a line feed, a carriage return, or both, each as they come.
    """

    MAX_LINE_BYTES = 2**20
    """What is longer [bytes] is cut there; `readers` refuse it."""

    def __init__(self, file: BufferedReader, mark: FilePosition, end: int, name: str = "", encoding: str = "utf-8"):
        """`end` is where the part ends [bytes from the beginning of the part]; `file` stands at `mark`."""
        self._file, self._end, self._name, self._encoding = file, end, name, encoding
        self._first = file.tell() - mark.offset
        self._waiting: list[bytes] = []
        self.offset, self.line = mark.offset, mark.line
        self.digest = hashlib.blake2b(digest_size=16)
        """Of what has been read; whoever wants that of a part sets a new one at its beginning."""

    @property
    def position(self) -> FilePosition:
        """Where the next line begins."""
        return FilePosition(self.offset, self.line)

    def bookmark(self) -> "Bookmark":
        """The place it stands at, to `return_to` to."""
        return Bookmark(self.position, self.digest.copy())

    def return_to(self, place: "Bookmark") -> None:
        """Read from an earlier place on again."""
        self.offset, self.line, self.digest = place.position.offset, place.position.line, place.digest.copy()
        self._file.seek(self._first + self.offset)
        self._waiting = []

    def __iter__(self) -> "LineReader":
        return self

    def __next__(self) -> str:
        raw = self._raw()
        if not raw:
            raise StopIteration
        self._took(raw)
        if len(raw) >= self.MAX_LINE_BYTES:
            rest = raw
            while rest and not rest.endswith((b"\n", b"\r")):
                rest = self._raw()
                self._took(rest)
        first, self.line = self.offset == len(raw), self.line + 1
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            if len(raw) < self.MAX_LINE_BYTES:
                raise self._undecodable(error) from error
            text = raw.decode(self._encoding, errors="replace")  # cut within a character
        return text.removeprefix("\ufeff") if first else text

    def _took(self, raw: bytes) -> None:
        self.offset += len(raw)
        self.digest.update(raw)

    def _raw(self) -> bytes:
        """The bytes of the next line: read to a line feed, and cut at carriage returns where there are any."""
        raw = self._waiting.pop() if self._waiting else b""
        if self._waiting or raw.endswith(b"\n"):
            return raw
        left = self._end - self.offset - len(raw)
        if not raw.endswith(b"\r"):
            more = self._file.readline(min(self.MAX_LINE_BYTES - len(raw), left))
            raw, left = raw + more, left - len(more)
            at = more.find(b"\r")
            if at < 0 or more[at:] == b"\r\n":
                return raw
            raw, *waiting = raw.splitlines(keepends=True)
            if waiting:
                self._waiting = waiting[::-1]
                return raw
        if left and self._file.peek(1)[:1] == b"\n":
            raw += self._file.read(1)
        return raw

    def _undecodable(self, error: UnicodeDecodeError) -> InputError:
        byte = f"byte 0x{error.object[error.start]:02x} at {error.start + 1:,}"
        return InputError(
            f"{self._name}, line {self.line - 1}: {byte} is not {self._encoding.upper()}. Say which encoding the file "
            "has by --encoding (such as latin-1 or cp1252), or convert it to UTF-8."
        )


@dataclass(frozen=True)
class Bookmark:
    """A place among lines, with the digest of what was read before it."""

    position: FilePosition
    digest: Any
