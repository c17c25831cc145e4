"""Plain, compressed and archived files as ranges of plain files, which can be read from any position."""

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
_UNSUPPORTED = (
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
"""First bytes of unsupported files, what they are, and what to do."""
_BLOCK_BYTES = 2**20
MAX_MEMBERS = 2_000_000
"""Largest number of files in an archive; QM9 has 133,885."""
_MAX_HEADER_BYTES = 2**20
"""Largest header of an archive member [bytes]; real ones have a few hundred."""
_MAX_XZ_MEMORY = 2**28
"""Memory limit of xz decompression [bytes]; its highest preset takes 65 MiB."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file or a member of an archive, as a range of bytes of a plain file."""

    name: str
    """Path as given by the user, followed by the name of the member of an archive."""
    path: Path
    """The plain file."""
    offset: int
    """Start in the plain file [bytes]."""
    bytes: int
    """Length [bytes]."""
    encoding: str = "utf-8"
    """Text encoding; one with the line ends of ASCII."""

    @contextmanager
    def lines(self, start: FilePosition = FILE_START) -> Iterator[LineReader]:
        """Open the lines from a position on."""
        with self.path.open("rb") as file:
            file.seek(self.offset + start.offset)
            yield LineReader(file, start, self.bytes, self.name, self.encoding)


def unpack(path: Path, spool: Path, largest_gib: float, encoding: str = "", most: int = MAX_MEMBERS) -> list[DataFile]:
    """Return a file as itself, or an archive as its regular files in order of their names.

    Compressed files are unpacked into `spool` first, and UTF-16 and UTF-32 files are converted there to UTF-8.

    Parameters
    ----------
    path
        File; gzip, bzip2, xz, ZIP and tar are recognised by content.
    spool
        Temporary file that may be written; the caller removes it.
    largest_gib
        Largest unpacked size [GiB].
    encoding
        Encoding of text without a byte-order mark; empty: UTF-8.
    most
        Largest number of members of a tar archive.

    Raises
    ------
    InputError
        The file cannot be read, is damaged, exceeds a limit, has two members of one name, is a ZIP archive of several
        files, or is not in its encoding.
    """
    plain = path
    try:
        with path.open("rb") as file:
            head = file.read(32)
        unsupported = next((remedy for magic, remedy in _UNSUPPORTED if head.startswith(magic)), "")
        if unsupported:
            raise InputError(f"{path}: {unsupported}.")
        opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
        text = detect_encoding(head[:MAX_BOM_BYTES], encoding)
        if head.startswith(_ZIP) or opener is not None or not has_ascii_line_ends(text):
            opened = (
                _unzipped(path, largest_gib) if head.startswith(_ZIP) else opener(path) if opener else path.open("rb")
            )
            plain = spool
            with opened as compressed, spool.open("wb") as out:
                text = _copy(compressed, out, path, largest_gib, encoding)
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
        raise InputError(f"{path}: cannot be read, or is damaged ({error}). Download or compress it again.") from error


def _unzipped(path: Path, largest_gib: float) -> AbstractContextManager[BinaryIO]:
    """Open the only file of a ZIP archive."""
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        if "[Content_Types].xml" in names:
            raise InputError(f"{path}: an Excel workbook or another Office file. Save it as CSV (UTF-8).")
        members = [
            info for info in packed.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            listed = ", ".join(info.filename[:60] for info in members[:5])
            raise InputError(
                f"{path}: a ZIP archive of {len(members)} files ({listed}); only one is supported. Unpack it."
            )
        if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others have no memory limit
            raise InputError(f"{path}: not compressed by deflate. Unpack it with another program.")
        if members[0].file_size > largest_gib * 2**30:
            raise InputError(_too_large(path, largest_gib))
        try:
            return packed.open(members[0])  # type: ignore[return-value]
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or a method that Python does not know
            raise InputError(f"{path}: cannot be unpacked ({error}). Unpack it with another program.") from error


def _too_large(path: Path, largest_gib: float) -> str:
    return f"{path}: unpacks to more than largest_gib {largest_gib:g}. Raise the limit if this is intended."


def _copy(compressed: io.BufferedIOBase | BinaryIO, out: BinaryIO, path: Path, largest_gib: float, stated: str) -> str:
    """Unpack a file, converting UTF-16 and UTF-32 to UTF-8; return the encoding of the copy."""
    remaining, before = largest_gib * 2**30, 0
    block = compressed.read(_BLOCK_BYTES)
    encoding = detect_encoding(block[:MAX_BOM_BYTES], stated)
    decoder = None if has_ascii_line_ends(encoding) else codecs.getincrementaldecoder(encoding)()
    while block or decoder:
        remaining -= len(block)
        if remaining < 0:
            raise InputError(_too_large(path, largest_gib))
        if decoder is None:
            out.write(block)
        else:
            pending = len(decoder.getstate()[0])
            try:
                out.write(decoder.decode(block, final=not block).encode())
            except UnicodeDecodeError as error:
                offset = before - pending + error.start + 1
                raise InputError(f"{path}: byte {offset:,} is not {encoding.upper()}. Save it as UTF-8.") from error
            if not block:
                return "utf-8"
        before += len(block)
        block = compressed.read(_BLOCK_BYTES)
    return encoding


def _members(path: Path, plain: Path, encoding: str, most: int) -> list[DataFile]:
    """List the regular files of a tar archive without unpacking it; links, devices and hidden files are skipped."""
    if not has_ascii_line_ends(encoding):
        raise InputError(
            f"{path}: archives of files in {encoding} are not supported. Unpack it, or convert the files to UTF-8."
        )
    files: dict[str, DataFile] = {}
    with plain.open("rb") as raw, tarfile.open(fileobj=_Headers(raw), mode="r:", errors="backslashreplace") as tar:
        for number, member in enumerate(tar):
            if number >= most:
                raise InputError(f"{path}: has more than {most:,} members. Divide it into smaller archives.")
            tar.members.clear()  # otherwise tarfile keeps all of them in memory
            if not member.isreg() or member.issparse() or Path(member.name).name.startswith("."):
                continue
            name = f"{path}/{member.name}"
            if name in files:
                raise InputError(f"{name}: occurs twice. Unpack the archive, and create it again with one of them.")
            files[name] = DataFile(
                name=name, path=plain, offset=member.offset_data, bytes=member.size, encoding=encoding
            )  # fmt: skip
    return sorted(files.values(), key=lambda file: file.name)


class _Headers(io.FileIO):
    """Tar file for `tarfile`, which reads only headers; a read of more than the largest header is refused."""

    def __init__(self, raw: BinaryIO):
        super().__init__(raw.fileno(), closefd=False)

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes; raise `tarfile.ReadError` if a header claims to be too long."""
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes, more than {_MAX_HEADER_BYTES:,}")
        return super().read(size) or b""


class _Xz(io.RawIOBase):
    """Reader of xz files with a memory limit, which `lzma.open` leaves to the file."""

    def __init__(self, path: Path):
        self.file = path.open("rb")
        self.stream = self._decompressor()

    @staticmethod
    def _decompressor() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        """Decompress at most ``size`` bytes; an empty result means the end of the file."""
        while True:
            if self.stream.eof:
                packed = self.stream.unused_data.lstrip(b"\0")  # padding between streams
                while not packed:
                    if not (block := self.file.read(_BLOCK_BYTES)):
                        return b""
                    packed = block.lstrip(b"\0")
                self.stream = self._decompressor()
            elif self.stream.needs_input:
                if not (packed := self.file.read(_BLOCK_BYTES)):
                    raise EOFError("truncated")
            else:
                packed = b""
            if block := self.stream.decompress(packed, size):
                return block

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()


_OPENERS: dict[bytes, Callable[[Path], BinaryIO]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": _Xz}  # type: ignore[dict-item]
