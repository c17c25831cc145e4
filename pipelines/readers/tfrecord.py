"""TFRecord files, plain or compressed by gzip: length, checksum, data and checksum of each record.

Format of https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

from tenfold.pipelines.readers.gzipped import MAGIC as GZIP_MAGIC
from tenfold.pipelines.readers.gzipped import content_head, read_blocks
from tenfold.pipelines.readers.volume import UnusableFileError

_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_MASK = 0xA282EAD8


def is_tfrecord(path: Path) -> bool:
    """Whether a file starts with the length of a record and the checksum of the length, by content."""
    return is_record(content_head(path, _HEADER.size))


def is_record(head: bytes) -> bool:
    """Whether data start with a length (u64) and the masked CRC-32C of its bytes (u32)."""
    return len(head) >= _HEADER.size and masked_crc32c(head[:8]) == _HEADER.unpack_from(head)[1]


def masked_crc32c(data: bytes | bytearray) -> int:
    """Return the CRC-32C of bytes, rotated and shifted as in TFRecord files."""
    from tenfold.pipelines.files.crc32c import crc32c

    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def read_records(path: Path, largest_gib: float) -> Iterator[bytearray]:
    """Yield the records of a file, whose checksums are compared. One record at a time is in memory.

    Parameters
    ----------
    path
        File.
    largest_gib
        Largest size of a record [GiB].

    Raises
    ------
    UnusableFileError
        The file is truncated or damaged, a checksum does not match, or a record is larger than `largest_gib` or than
        the file.
    """
    with path.open("rb") as raw:
        compressed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        size = path.stat().st_size
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if compressed else raw
        number = 0
        while header := read_blocks(stream, _HEADER.size, path):
            key = f"record {number}"
            if len(header) < _HEADER.size:
                raise UnusableFileError(path, key, f"truncated: its header has {len(header)} of {_HEADER.size} bytes")
            length, checksum = _HEADER.unpack(header)
            if masked_crc32c(header[:8]) != checksum:
                raise UnusableFileError(path, key, "damaged: the checksum of its length does not match")
            if length > largest_gib * 2**30:
                limit = f"the limit of {largest_gib:g} GiB (ingest.largest_gib)"
                raise UnusableFileError(path, key, f"takes {length:,} bytes, above {limit}")
            if not compressed and length + _FOOTER.size > size - raw.tell():
                available = size - raw.tell()
                reason = f"truncated: it takes {length + _FOOTER.size:,} bytes, but the file contains {available:,}"
                raise UnusableFileError(path, key, reason)
            data, footer = read_blocks(stream, length, path), read_blocks(stream, _FOOTER.size, path)
            if len(data) < length or len(footer) < _FOOTER.size:
                reason = f"truncated: it takes {length:,} bytes, but the file contains {len(data):,}"
                raise UnusableFileError(path, key, reason)
            if masked_crc32c(data) != _FOOTER.unpack(footer)[0]:
                raise UnusableFileError(path, key, "damaged: the checksum of its data does not match")
            yield data
            number += 1
