"""Untrusted archives: sizes are bounded, whatever their headers state."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.archives import unpack

ZEROS = bytes(2**24)


def tar_of(members: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def texts(path: Path, spool: Path, **limits) -> dict[str, bytes]:
    contents = {}
    for piece in unpack(path, spool, **{"largest_gib": 1.0, **limits}):
        with piece.lines() as lines:
            contents[piece.name.removeprefix(f"{path}")] = b"".join(line.encode() for line in lines)
    return contents


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("parts", [1, 3])
def test_compressed_files_of_one_or_several_streams_are_read(tmp_path, pack, parts):
    text = b"smiles\n" + b"CCO\n" * 400_000
    length = -(-len(text) // parts)
    (tmp_path / "a").write_bytes(b"".join(pack(text[i * length : (i + 1) * length]) for i in range(parts)))
    [piece] = unpack(tmp_path / "a", tmp_path / "spool", 1.0)
    assert piece.path.read_bytes() == text


def test_padding_between_xz_streams_is_skipped(tmp_path):
    (tmp_path / "a").write_bytes(lzma.compress(b"C\n") + bytes(2**21) + lzma.compress(b"CC\n") + bytes(8))
    [piece] = unpack(tmp_path / "a", tmp_path / "spool", 1.0)
    assert piece.path.read_bytes() == b"C\nCC\n"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_truncated_file_is_named(tmp_path, pack):
    (tmp_path / "a").write_bytes(pack(bytes(range(256)) * 100)[:-15])
    with pytest.raises(InputError, match="a: cannot be read, or is damaged"):
        unpack(tmp_path / "a", tmp_path / "spool", 1.0)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_decompression_bomb_stops_at_the_limit(tmp_path, pack):
    (tmp_path / "a").write_bytes(pack(ZEROS))
    with pytest.raises(InputError, match=r"a: unpacks to more than largest_gib 0\.01. Raise the limit"):
        unpack(tmp_path / "a", tmp_path / "spool", 0.01)
    assert (tmp_path / "spool").stat().st_size <= 0.01 * 2**30


def test_an_xz_file_that_needs_too_much_memory_is_refused(tmp_path):
    packed = bytearray(lzma.compress(b"C\n", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**12}]))
    # the block header's one filter: id 0x21, one byte of properties, the dictionary; 34 stands for 512 MiB
    place = packed.index(b"\x21\x01") + 2
    packed[place] = 34
    header = packed[12 : 12 + 4 * packed[12] + 4]
    packed[12 + len(header) - 4 : 12 + len(header)] = struct.pack("<I", zlib.crc32(header[:-4]))
    (tmp_path / "a").write_bytes(packed)
    with pytest.raises(InputError, match=r"a: cannot be read, or is damaged \(Memory usage limit"):
        unpack(tmp_path / "a", tmp_path / "spool", 1.0)


def test_a_zip_archive_of_a_method_without_memory_limit_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.csv", ZEROS)
    with pytest.raises(InputError, match=r"a\.zip: not compressed by deflate"):
        unpack(tmp_path / "a.zip", tmp_path / "spool", 1.0)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", ZEROS)
    with pytest.raises(InputError, match=r"b\.zip: unpacks to more than largest_gib 0\.01"):
        unpack(tmp_path / "b.zip", tmp_path / "spool", 0.01)


def test_members_are_sorted_by_name_and_only_regular_files_are_read(tmp_path):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in (("b.csv", b"smiles\nC\n"), ("../../a.csv", b"smiles\nCC\n"), (".hidden", b"x")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / "a.tar").write_bytes(made.getvalue())
    assert texts(tmp_path / "a.tar", tmp_path / "spool") == {
        "/../../a.csv": b"smiles\nCC\n", "/b.csv": b"smiles\nC\n",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_member_name_that_is_not_utf_8_is_escaped(tmp_path, kind):
    (tmp_path / "a.tar").write_bytes(tar_of({"b\udcff.smi": b"C\n"}, kind))
    assert texts(tmp_path / "a.tar", tmp_path / "spool") == {r"/b\xff.smi": b"C\n"}


def test_more_members_than_the_limit_are_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(tar_of({f"{n}.csv": b"" for n in range(6)}))
    assert len(unpack(tmp_path / "a.tar", tmp_path / "spool", 1.0, most=6)) == 6
    with pytest.raises(InputError, match=r"a\.tar: has more than 5 members"):
        unpack(tmp_path / "a.tar", tmp_path / "spool", 1.0, most=5)


def test_two_members_of_one_name_are_refused(tmp_path):
    one = tar_of({"a.csv": b"smiles\nC\n"})
    (tmp_path / "a.tar").write_bytes(one[:1024] + tar_of({"a.csv": b"smiles\nCC\n"}))
    with pytest.raises(InputError, match=r"a\.tar/a\.csv: occurs twice"):
        unpack(tmp_path / "a.tar", tmp_path / "spool", 1.0)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_overlong_tar_header_is_refused(tmp_path, kind):
    entry = tarfile.TarInfo("notes")
    entry.type, entry.size = kind, len(ZEROS)
    (tmp_path / "a.tar").write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + ZEROS + tar_of({"a.csv": b"smiles\nC\n"}))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.tar: .*a header of 16,777,216 bytes, more than 1,048,576"):
        unpack(tmp_path / "a.tar", tmp_path / "spool", 1.0)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_truncated_tar_member_is_refused(tmp_path):
    entry = tarfile.TarInfo("a.csv")
    entry.size = 2**40
    (tmp_path / "a.tar").write_bytes(entry.tobuf() + bytes(1024))
    with pytest.raises(InputError, match=r"a\.tar: cannot be read, or is damaged"):
        unpack(tmp_path / "a.tar", tmp_path / "spool", 1.0)
