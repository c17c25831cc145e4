"""Files, folders, tar archives and zipped files, as pieces of plain files: parts that can be read from any place on."""

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import FILE_START, FilePosition, LineReader
from tenfold.pipelines.readers.text_encodings import MAX_BOM_BYTES, detect_encoding, has_ascii_line_ends

_ZIP = b"PK\x03\x04"
_BY_PANDAS = "python -c \"import pandas; pandas.{}('IN').to_csv('OUT.csv', index=False)\""
_OTHERS = (
    (b"PAR1", f"a Parquet file. Write it as CSV, where pandas and pyarrow are: {_BY_PANDAS.format('read_parquet')}"),
    (b"ARROW1", f"an Arrow file. Write it as CSV, where pandas and pyarrow are: {_BY_PANDAS.format('read_feather')}"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook or another Office file. Save it as CSV (UTF-8)"),
    (b"\x89HDF", "an HDF5 file. Write its table as CSV"),
    (b"\x93NUMPY", "a NumPy array. Write a table as CSV"),
    (b"SQLite format 3", "an SQLite database. Write its table as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd. Unpack it: zstd -d IN"),
    (b"7z\xbc\xaf", "a 7-Zip archive. Unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself. Fetch it: git lfs pull"),
)
"""What files that are none of ours begin with, what they are, and what to do."""
_BLOCK = 2**20
MAX_MEMBERS = 2_000_000
"""Files in one archive, at most; QM9 is 133,885."""
_LARGEST_HEADER = 2**20
"""Bytes of a long name or other notes on a member; real ones have a few hundred."""
_LARGEST_DICTIONARY = 2**28
"""Memory for unpacking xz; its highest preset takes 65 MiB."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file, or a member of an archive: bytes of a plain file."""

    name: str
    """As the user knows it: a path, followed by the member's name where it is in an archive."""
    path: Path
    """The plain file."""
    offset: int
    """Where in the plain file it begins [bytes]."""
    bytes: int
    encoding: str = "utf-8"
    """Of its text: one that has the line ends of ASCII."""

    @contextmanager
    def lines(self, mark: FilePosition = FILE_START) -> Iterator[LineReader]:
        """Its lines from a mark on."""
        with self.path.open("rb") as file:
            file.seek(self.offset + mark.offset)
            yield LineReader(file, mark, self.bytes, self.name, self.encoding)


def unpack(path: Path, spool: Path, largest_gib: float, encoding: str = "", most: int = MAX_MEMBERS) -> list[DataFile]:
    """The pieces of a file: itself, or the regular files of an archive in order of their names.

    What is compressed is unpacked first, into `spool`, and what is in UTF-16 or UTF-32 is written there in UTF-8.

    Parameters
    ----------
    path
        A file; gzip, bzip2, xz, ZIP and tar are told by content.
    spool
        A name that may be written to; whoever calls removes it.
    largest_gib
        Largest size that is unpacked [GiB].
    encoding
        Of its text, where no byte-order mark says it; empty: UTF-8.
    most
        Largest number of members of a tar archive.

    Raises
    ------
    InputError
        It cannot be read, is damaged, unpacks to more, has more members or two of one name, is a ZIP archive of several
        files, or not in its encoding.
    """
    plain = path
    try:
        with path.open("rb") as file:
            head = file.read(32)
        told = next((about for magic, about in _OTHERS if head.startswith(magic)), "")
        if told:
            raise InputError(f"{path}: {told}.")
        opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
        text = detect_encoding(head[:MAX_BOM_BYTES], encoding)
        if head.startswith(_ZIP) or opener is not None or not has_ascii_line_ends(text):
            opened = (
                _unzipped(path, largest_gib) if head.startswith(_ZIP) else opener(path) if opener else path.open("rb")
            )
            plain = spool
            with opened as packed, spool.open("wb") as out:
                text = _copy(packed, out, path, largest_gib, encoding)
        with plain.open("rb") as file:
            file.seek(257)
            if file.read(5) != b"ustar":
                return [DataFile(name=str(path), path=plain, offset=0, bytes=plain.stat().st_size, encoding=text)]
        return _members(path, plain, encoding or "utf-8", most)
    except InputError:
        raise
    except (
        OSError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise InputError(f"{path}: cannot be read, or is damaged ({error}). Fetch or pack it again.") from error


def _unzipped(path: Path, largest_gib: float) -> AbstractContextManager[BinaryIO]:
    """The only file of a ZIP archive."""
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        if "[Content_Types].xml" in names:
            raise InputError(f"{path}: an Excel workbook or another Office file. Save it as CSV (UTF-8).")
        found = [info for info in packed.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
        if len(found) != 1:
            listed = ", ".join(info.filename[:60] for info in found[:5])
            raise InputError(f"{path}: a ZIP archive of {len(found)} files ({listed}), one is read. Unpack it.")
        if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile unpacks others unbounded
            raise InputError(f"{path}: packed by another method than deflate. Unpack it by another program.")
        if found[0].file_size > largest_gib * 2**30:
            raise InputError(_too_large(path, largest_gib))
        try:
            return packed.open(found[0])  # type: ignore[return-value]
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or a method that Python does not know
            raise InputError(f"{path}: cannot be unpacked ({error}). Unpack it by another program.") from error


def _too_large(path: Path, largest_gib: float) -> str:
    return f"{path}: unpacks to more than largest_gib {largest_gib:g}. Raise it, if that is meant."


def _copy(packed: io.BufferedIOBase | BinaryIO, out: BinaryIO, path: Path, largest_gib: float, stated: str) -> str:
    """Write out what is packed, by lines of ASCII; return its encoding."""
    left, before = largest_gib * 2**30, 0
    block = packed.read(_BLOCK)
    encoding = detect_encoding(block[:MAX_BOM_BYTES], stated)
    decoder = None if has_ascii_line_ends(encoding) else codecs.getincrementaldecoder(encoding)()
    while block or decoder:
        left -= len(block)
        if left < 0:
            raise InputError(_too_large(path, largest_gib))
        if decoder is None:
            out.write(block)
        else:
            pending = len(decoder.getstate()[0])
            try:
                out.write(decoder.decode(block, final=not block).encode())
            except UnicodeDecodeError as error:
                place = before - pending + error.start + 1
                raise InputError(f"{path}: byte {place:,} is not {encoding.upper()}. Save it as UTF-8.") from error
            if not block:
                return "utf-8"
        before += len(block)
        block = packed.read(_BLOCK)
    return encoding


def _members(path: Path, plain: Path, encoding: str, most: int) -> list[DataFile]:
    """Regular files of a tar; links, devices and hidden files are passed over, and nothing is written anywhere."""
    if not has_ascii_line_ends(encoding):
        raise InputError(f"{path}: an archive of files in {encoding} is not read. Unpack it, or convert them to UTF-8.")
    found: dict[str, DataFile] = {}
    with plain.open("rb") as raw, tarfile.open(fileobj=_Headers(raw), mode="r:", errors="backslashreplace") as tar:
        for number, member in enumerate(tar):
            if number >= most:
                raise InputError(f"{path}: has more than {most:,} members. Pack fewer in one archive.")
            tar.members.clear()  # else tarfile keeps them all
            if not member.isreg() or member.issparse() or Path(member.name).name.startswith("."):
                continue
            name = f"{path}/{member.name}"
            if name in found:
                raise InputError(f"{name}: is there twice. Unpack the archive, and pack it again with one of them.")
            found[name] = DataFile(
                name=name, path=plain, offset=member.offset_data, bytes=member.size, encoding=encoding
            )  # fmt: skip
    return sorted(found.values(), key=lambda piece: piece.name)


class _Headers(io.FileIO):
    """A tar file as `tarfile` reads it: its headers, which are small, and never the members."""

    def __init__(self, raw: BinaryIO):
        super().__init__(raw.fileno(), closefd=False)

    def read(self, size: int = -1, /) -> bytes:
        """Read at most so many bytes; raise `tarfile.ReadError` where a header says that it is very long."""
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes, more than {_LARGEST_HEADER:,}")
        return super().read(size) or b""


class _Xz(io.RawIOBase):
    """An xz file, unpacked in bounded memory; `lzma.open` lets the file say how much."""

    def __init__(self, path: Path):
        self.file = path.open("rb")
        self.stream = self._begun()

    @staticmethod
    def _begun() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LARGEST_DICTIONARY)

    def read(self, size: int = -1, /) -> bytes:
        """Unpack at most so many bytes; none are left where it returns none."""
        while True:
            if self.stream.eof:
                packed = self.stream.unused_data.lstrip(b"\0")  # padding between streams
                while not packed:
                    if not (block := self.file.read(_BLOCK)):
                        return b""
                    packed = block.lstrip(b"\0")
                self.stream = self._begun()
            elif self.stream.needs_input:
                if not (packed := self.file.read(_BLOCK)):
                    raise EOFError("cut short")
            else:
                packed = b""
            if block := self.stream.decompress(packed, size):
                return block

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()


_OPENERS: dict[bytes, Callable[[Path], BinaryIO]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": _Xz}  # type: ignore[dict-item]
