"""Unpacking of untrusted ZIP archives: sizes are checked before anything is unpacked."""

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from tenfold.pipelines.errors import InputError

_END = struct.Struct("<4s4H2LH")
"""End record of a ZIP archive: signature, two disk numbers, two entry counts, size and offset of the directory."""
_BYTES_PER_ENTRY = 512
"""Maximum size of a directory entry [bytes]: 46, the name and a few extra fields."""


def read_members(path: Path, *, largest_gib: float, most: int) -> dict[str, bytes]:
    """Unpack an archive into memory.

    Parameters
    ----------
    path
        The archive; members stored or deflated, no ZIP64, no comment behind the directory.
    largest_gib
        Largest size of all members together [GiB].
    most
        Largest number of members.

    Raises
    ------
    InputError
        It has more members, or unpacks to more.
    zipfile.BadZipFile
        It is not such an archive, or is damaged.
    """
    with path.open("rb") as file:
        _check_directory(file, path, most)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len({entry.filename for entry in entries}) != len(entries):
                raise zipfile.BadZipFile("two members have the same name")
            gib = sum(entry.file_size for entry in entries) / 2**30
            if gib > largest_gib:
                raise InputError(
                    f"{path}: unpacks to {gib:,.1f} GiB, more than largest_gib {largest_gib:g}. "
                    "Raise largest_gib if this size is intended."
                )
            return {entry.filename: _unpacked(archive, entry) for entry in entries}


def _check_directory(file: BinaryIO, path: Path, most: int) -> None:
    """Check the size of the directory before `zipfile` makes an object of each entry."""
    size = file.seek(0, 2)
    if size < _END.size:
        raise zipfile.BadZipFile("no ZIP archive")
    file.seek(size - _END.size)
    signature, *_, entries, directory, _, comment = _END.unpack(file.read(_END.size))
    if signature != b"PK\x05\x06" or comment:
        raise zipfile.BadZipFile("no ZIP archive, or cut short")
    if entries > most or directory > most * _BYTES_PER_ENTRY:
        raise InputError(f"{path}: an archive of {entries:,} members in a directory of {directory:,} bytes, more than "
                         f"{most:,} members can be")  # fmt: skip
    file.seek(max(0, size - _END.size - 20))
    if file.read(4) == b"PK\x06\x07":
        raise zipfile.BadZipFile("a ZIP64 archive, which is for more than 4 GiB or 65,535 members")
    file.seek(0)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpack one member: as many bytes as the directory states, whatever its data unpack to."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(
            f"{entry.filename}: packed by method {entry.compress_type}, neither stored nor deflated"
        )
    with archive.open(entry) as member:
        content = member.read(entry.file_size)
    if len(content) != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename}: cut short")
    return content
