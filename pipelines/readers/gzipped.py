"""Files compressed by gzip, which is recognised by content: their first bytes, and a temporary unpacked copy."""

import contextlib
import gzip
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from tenfold.pipelines.readers.volume import UnusableFileError

MAGIC = b"\x1f\x8b"
_HEAD_BYTES = 4096
_BLOCK_BYTES = 2**20


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def content_head(path: Path, length: int) -> bytes:
    """Return the first bytes of the content of a file: unpacked, if it is compressed by gzip.

    Parameters
    ----------
    path
        File.
    length
        Maximum number of bytes.
    """
    with path.open("rb") as file:
        head = file.read(max(length, _HEAD_BYTES))
    return unpacked_head(head, length) if head.startswith(MAGIC) else head[:length]


def unpacked_head(head: bytes, length: int) -> bytes:
    """Return at most `length` unpacked bytes of the start of a gzip file; fewer if the start is short or damaged."""
    try:
        return zlib.decompressobj(31).decompress(head, length)
    except zlib.error:
        return b""


@contextlib.contextmanager
def open_content(path: Path, largest_gib: float) -> Iterator[BinaryIO]:
    """Open the content of a file, which can be read from any position and mapped to memory.

    A file compressed by gzip is unpacked to a temporary file without a name, in the folder that TMPDIR names. It takes
    a block of memory, and disappears when it is closed, even if the process is killed.

    Parameters
    ----------
    path
        File.
    largest_gib
        Largest size of the unpacked file [GiB].

    Raises
    ------
    UnusableFileError
        The file cannot be read, is damaged or truncated, or unpacks to more than `largest_gib`; or the temporary file
        cannot be written.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UnusableFileError(path, "", f"cannot be read ({error.strerror})") from error
    with raw:
        if raw.read(len(MAGIC)) != MAGIC:
            raw.seek(0)
            yield raw
            return
        raw.seek(0)
        with tempfile.TemporaryFile() as unpacked:
            _unpack(raw, unpacked, path, largest_gib)
            with Path(f"/proc/self/fd/{unpacked.fileno()}").open("rb") as content:  # astropy asks for read-only files
                yield content


def _unpack(raw: BinaryIO, unpacked: IO[bytes], path: Path, largest_gib: float) -> None:
    """Unpack a file block by block."""
    remaining = largest_gib * 2**30
    stream = gzip.GzipFile(fileobj=raw)
    while block := read_blocks(stream, _BLOCK_BYTES, path):
        remaining -= len(block)
        if remaining < 0:
            reason = f"unpacks to more than {largest_gib:g} GiB (ingest.largest_gib): raise it if this is intended"
            raise UnusableFileError(path, "", reason)
        try:
            unpacked.write(block)
            unpacked.flush()
        except OSError as error:
            reason = (
                f"cannot be unpacked to a temporary file in {tempfile.gettempdir()} ({error.strerror}): make room, or "
                "set TMPDIR to another folder"
            )
            raise UnusableFileError(path, "", reason) from error


def read_blocks(stream: BinaryIO | gzip.GzipFile, length: int, path: Path) -> bytearray:
    """Read at most `length` bytes of a stream, block by block, so that memory does not exceed what the stream has.

    Raises
    ------
    UnusableFileError
        The stream is compressed, and damaged or truncated.
    """
    data = bytearray()
    try:
        while len(data) < length and (block := stream.read(min(_BLOCK_BYTES, length - len(data)))):
            data += block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableFileError(path, "", f"compressed by gzip, and truncated or damaged ({error})") from error
    return data
