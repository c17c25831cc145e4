"""Files of unsupported formats: identified by content, with a hint on how to convert them."""

import struct
import zipfile
from pathlib import Path

import h5py

from tenfold.pipelines.readers.gzipped import unpacked_head
from tenfold.pipelines.readers.tfrecord import is_record

NOT_SUPPORTED = {2: "neither FITS nor HDF5 nor NPY", 3: "neither HDF5 nor NPY"}
"""Statement that a file has no supported format, by the dimensions requested: 2 for maps, 3 for volumes."""
_HEAD = 4096
_GRID = "tenfold reads fields on a grid"
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image: its pixels are colours. Give the field itself as NPY, HDF5 or FITS"),
    (b"\xff\xd8\xff", "a JPEG image: its pixels are colours. Give the field itself as NPY, HDF5 or FITS"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", f"a Parquet table: {_GRID}"),
    (b"CDF\x01", "a netCDF-3 file: convert it to netCDF-4, which is HDF5 (nccopy -k nc4)"),
    (b"CDF\x02", "a netCDF-3 file: convert it to netCDF-4, which is HDF5 (nccopy -k nc4)"),
    (b"CDF\x05", "a netCDF-3 file: convert it to netCDF-4, which is HDF5 (nccopy -k nc4)"),
    (b"\x0e\x03\x13\x01", "an HDF4 file: convert it to HDF5 (h4toh5)"),
    (b"BZh", "compressed by bzip2: unpack it first (bunzip2)"),
    (b"\xfd7zXZ\x00", "compressed by xz: unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first (unzstd)"),
    (b"HyperCLaw", f"the header of an AMReX plotfile (Nyx): {_GRID}; convert it to Nyx's HDF5"),
    (b"NavierStokes", f"the header of an AMReX plotfile (Nyx): {_GRID}; convert it to Nyx's HDF5"),
)
_SNAPSHOT = "a particle snapshot{}: `tenfold ingest volumes` paints it on a mesh"


def describe_unsupported(path: Path, dimensions: int = 3) -> str:
    """Return a description of an unsupported file, and a remedy.

    Parameters
    ----------
    path
        File. Only its first bytes are read, and the table of contents of a ZIP archive; nothing is unpickled or
        executed.
    dimensions
        2 if maps are requested, 3 if volumes are.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    not_read = NOT_SUPPORTED.get(dimensions, NOT_SUPPORTED[3])
    if dimensions == 3 and b"SIMPLE  =" in (head[:9], unpacked_head(head, 9)):
        return f"a FITS file, {not_read}: `tenfold ingest massmaps` reads maps from FITS; give volumes as HDF5 or NPY"
    if head.startswith(b"\x93NUMPY"):
        return "an NPY file, not HDF5: it contains a single unnamed array, so leave out ingest.key and ingest.format"
    description = _binary(path, head) or _text(head)
    return f"{description} ({not_read})" if description else f"{not_read}: begins with {head[:8]!r}"


def explain_unsupported_hdf5(file: h5py.File) -> str:
    """Return why an HDF5 file of particles or of a simulation code is not read as a field; empty for other files."""
    if "Header" in file and any(name.startswith("PartType") for name in file):
        return _SNAPSHOT.format("")  # asked for as maps
    if "native_fields" in file and "domain" in file:
        return "a Nyx file of volumes: `tenfold ingest volumes` reads it"
    return ""


def _binary(path: Path, head: bytes) -> str:
    if head.startswith(b"\x1f\x8b"):
        return f"compressed by gzip{_inside(head)}: unpack it first (gunzip)"
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a Python pickle, which may run code and is never loaded: save the array as NPY with numpy.save"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if is_record(head):
        return "a TFRecord file: `tenfold ingest volumes` reads those of MLPerf's CosmoFlow, and no others"
    if len(head) > 264 and head[:4] == struct.pack("<I", 256) == head[260:264]:
        return _SNAPSHOT.format(" (Gadget's binary format 1)")
    if head[:8] == struct.pack("<I", 8) + b"HEAD":
        return _SNAPSHOT.format(" (Gadget's binary format 2)")
    return next((description for magic, description in _MAGIC if head.startswith(magic)), "")


def _text(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer instead of the file: fetch the file by `git lfs pull`"
    if start.startswith((b"/annex/objects/", b"../.git/annex", b".git/annex")):
        return "a git-annex pointer instead of the file: fetch the file by `git annex get`"
    if start[:64].lower().startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        return "an HTML or XML page, such as an error message of a server: download the file again"
    try:
        text = head.decode("utf-8" if len(head) < _HEAD else "latin-1")
    except UnicodeDecodeError:
        return ""
    if not text.strip() or any(ord(character) < 32 and character not in "\t\r\n\f" for character in text):
        return ""
    first = " ".join(text.strip().splitlines()[0].split())[:40]
    return f"text beginning with {first!r}, not a field; give a table of parameters as ingest.table"


def _inside(head: bytes) -> str:
    """Return the format inside a gzip file, from at most 64 decompressed bytes."""
    start = unpacked_head(head, 64)
    kinds = ((b"SIMPLE  =", "FITS"), (b"\x89HDF\r\n\x1a\n", "HDF5"), (b"\x93NUMPY", "NPY"))
    name = next((name for magic, name in kinds if start.startswith(magic)), "a TFRecord" if is_record(start) else "")
    return f", containing {name}" if name else ""


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist()[:1000]]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged ZIP archive"
    arrays = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
    if arrays and len(arrays) == len(names):
        listed = ", ".join(repr(name) for name in arrays[:12])
        return f"an NPZ archive of the arrays {listed}: save the desired array as NPY with numpy.save"
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch archive, which may run code and is never loaded: save the array as NPY with numpy.save"
    return "a ZIP archive: unpack it first"
