"""Files, folders and tar archives, as pieces of plain files: parts that can be read from any place on."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import BEGINNING, Lines, Mark

_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_BLOCK = 2**20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A file, or a member of an archive: bytes of a plain file."""

    name: str
    """As the user knows it: a path, followed by the member's name where it is in an archive."""
    path: Path
    """The plain file."""
    offset: int
    """Where in the plain file it begins [bytes]."""
    bytes: int

    @contextmanager
    def lines(self, mark: Mark = BEGINNING) -> Iterator[Lines]:
        """Its lines from a mark on."""
        with self.path.open("rb") as file:
            file.seek(self.offset + mark.offset)
            yield Lines(file, mark, self.bytes)


def pieces(path: Path, spool: Path, largest_gib: float) -> list[Piece]:
    """The pieces of a file: itself, or the regular files of an archive in order of their names.

    What is compressed is unpacked first, into `spool`.

    Parameters
    ----------
    path
        A file; gzip, bzip2, xz and tar are told by content.
    spool
        A name that may be written to; whoever calls removes it.
    largest_gib
        Largest size that is unpacked [GiB].

    Raises
    ------
    InputError
        It cannot be read, is damaged, or unpacks to more.
    """
    plain = path
    try:
        with path.open("rb") as file:
            head = file.read(6)
            opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
        if opener is not None:
            plain = spool
            with opener(path, "rb") as packed, spool.open("wb") as out:
                _copy(packed, out, path, largest_gib)
        with plain.open("rb") as file:
            file.seek(257)
            if file.read(5) != b"ustar":
                return [Piece(name=str(path), path=plain, offset=0, bytes=plain.stat().st_size)]
        return _members(path, plain)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise InputError(f"{path}: cannot be read, or is damaged ({error}). Fetch or pack it again.") from error


def _copy(packed: io.BufferedIOBase | BinaryIO, out: BinaryIO, path: Path, largest_gib: float) -> None:
    left = largest_gib * 2**30
    while block := packed.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise InputError(f"{path}: unpacks to more than largest_gib {largest_gib:g}. Raise it, if that is meant.")
        out.write(block)


def _members(path: Path, plain: Path) -> list[Piece]:
    """Regular files of a tar; links, devices and hidden files are passed over, and nothing is written anywhere."""
    with tarfile.open(plain, "r:") as tar:
        found = [
            Piece(name=f"{path}/{member.name}", path=plain, offset=member.offset_data, bytes=member.size)
            for member in tar
            if member.isreg() and not member.issparse() and not Path(member.name).name.startswith(".")
        ]
    return sorted(found, key=lambda piece: piece.name)
