"""Records of molecules as the readers yield them, before parsing, and the lines they are read from."""

import hashlib
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any

from tenfold.pipelines.errors import InputError


class UnusableMoleculeError(ValueError):
    """A molecule that cannot be used, and the reason."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class MoleculeRecord:
    """Record of one molecule in a file."""

    line: int
    """First line of the record, from 1."""
    text: str
    """SMILES or title, to identify the molecule in messages."""
    smiles: str = ""
    """SMILES; empty if the file gives none."""
    molfile: str = ""
    """V2000 or V3000 Molfile; empty if the file is not an SD file."""
    symbols: tuple[str, ...] = ()
    """Element symbols of the atoms of an XYZ frame."""
    positions: tuple[tuple[float, float, float], ...] = ()
    """Positions of these atoms [Å]."""
    charge: int = 0
    """Total charge [e], needed to perceive bonds from distances."""
    fields: dict[str, str] = field(default_factory=dict)
    """All other data of the record by column or key, as text."""
    problem: str = ""
    """Reason why the record cannot be read; empty if it can."""
    cells: tuple[str, ...] = ()
    """Cells of a table row that does not match the header; empty otherwise."""
    comment: str = ""
    """Comment line of an XYZ frame."""


@dataclass(frozen=True)
class FilePosition:
    """Position in a file between two records."""

    offset: int = 0
    """Number of bytes before the position."""
    line: int = 1
    """Number of the line that starts at the position."""


FILE_START = FilePosition()


class LineReader:
    """Reader of the decoded lines of a part of a file, which keeps track of its position.

    Lines end with a line feed, a carriage return, or both; a file may mix them.
    """

    MAX_LINE_BYTES = 2**20
    """Longer lines are truncated to this length [bytes], and rejected by the readers."""

    def __init__(self, file: BufferedReader, start: FilePosition, end: int, name: str = "", encoding: str = "utf-8"):
        """Read ``file``, which is at ``start``, up to ``end`` [bytes from the beginning of the part]."""
        self._file, self._end, self._name, self._encoding = file, end, name, encoding
        self._part_offset = file.tell() - start.offset
        self._pending: list[bytes] = []
        self.offset, self.line = start.offset, start.line
        self.digest = hashlib.blake2b(digest_size=16)
        """Digest of the bytes read so far; callers may replace it to digest a range."""

    @property
    def position(self) -> FilePosition:
        """Position of the next line."""
        return FilePosition(self.offset, self.line)

    def bookmark(self) -> "Bookmark":
        """Return a bookmark of the current position, for `return_to`."""
        return Bookmark(self.position, self.digest.copy())

    def return_to(self, bookmark: "Bookmark") -> None:
        """Continue reading from a bookmark."""
        self.offset, self.line = bookmark.position.offset, bookmark.position.line
        self.digest = bookmark.digest.copy()
        self._file.seek(self._part_offset + self.offset)
        self._pending = []

    def __iter__(self) -> "LineReader":
        return self

    def __next__(self) -> str:
        raw = self._raw()
        if not raw:
            raise StopIteration
        self._advance(raw)
        if len(raw) >= self.MAX_LINE_BYTES:
            rest = raw
            while rest and not rest.endswith((b"\n", b"\r")):
                rest = self._raw()
                self._advance(rest)
        first, self.line = self.offset == len(raw), self.line + 1
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            if len(raw) < self.MAX_LINE_BYTES:
                raise self._undecodable(error) from error
            text = raw.decode(self._encoding, errors="replace")  # truncated within a character
        return text.removeprefix("\ufeff") if first else text

    def _advance(self, raw: bytes) -> None:
        self.offset += len(raw)
        self.digest.update(raw)

    def _raw(self) -> bytes:
        """Return the bytes of the next line: read to a line feed, and divided at carriage returns."""
        raw = self._pending.pop() if self._pending else b""
        if self._pending or raw.endswith(b"\n"):
            return raw
        remaining = self._end - self.offset - len(raw)
        if not raw.endswith(b"\r"):
            more = self._file.readline(min(self.MAX_LINE_BYTES - len(raw), remaining))
            raw, remaining = raw + more, remaining - len(more)
            carriage_return = more.find(b"\r")
            if carriage_return < 0 or more[carriage_return:] == b"\r\n":
                return raw
            raw, *pending = raw.splitlines(keepends=True)
            if pending:
                self._pending = pending[::-1]
                return raw
        if remaining and self._file.peek(1)[:1] == b"\n":
            raw += self._file.read(1)
        return raw

    def _undecodable(self, error: UnicodeDecodeError) -> InputError:
        byte = f"byte 0x{error.object[error.start]:02x} at {error.start + 1:,}"
        return InputError(
            f"{self._name}, line {self.line - 1}: {byte} is not {self._encoding.upper()}. State the encoding of the "
            "file by --encoding (such as latin-1 or cp1252), or convert it to UTF-8."
        )


@dataclass(frozen=True)
class Bookmark:
    """Position of a `LineReader`, with the digest of the bytes before it."""

    position: FilePosition
    digest: Any
