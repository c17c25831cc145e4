"""Published sets of molecules from the network: resumed where it broke off, checked, whole or not there."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_json
from tenfold.pipelines.storage.output_folder import OutputFolder

CHECKSUMS = "checksums.json"
"""Notes the SHA-256 of files whose publisher gives none."""
TIMEOUT_S = 60.0
"""Longest silence of a server [s]."""
MAX_ATTEMPTS = 4
"""Times that a broken connection is taken up again."""
MAX_DOWNLOAD_BYTES = 2**30
"""Most bytes taken of a file whose size is not known beforehand."""
_PIECE = 2**20


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file as its publisher has it."""

    name: str
    url: str
    bytes: int | None = None
    """Size; None: not known beforehand."""
    sha256: str = ""
    """Empty: not known beforehand; written down at the first download, and held to from then on."""
    md5: str = ""
    """Where the publisher gives no other."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published set of molecules."""

    files: tuple[PublishedFile, ...]
    targets: str
    """Columns to learn, with their units."""
    source: str
    """Whom to cite, and the licence."""


_MOLECULENET = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets"
_FIGSHARE = "https://ndownloader.figshare.com/files"

DATASETS = {
    "qm9": Dataset(
        files=(
            PublishedFile(
                name="dsgdb9nsd.xyz.tar.bz2",
                url=f"{_FIGSHARE}/3195389",
                bytes=86_144_227,
                sha256="3a63848ac80691bdb8d41834b575afad345b9300d7a2db0c38adb7f6eaa8360c",
                md5="ad1ebd51ee7f5b3a6e32e974e5d54012",
            ),
            PublishedFile(
                name="uncharacterized.txt",
                url=f"{_FIGSHARE}/3195404",
                bytes=486_752,
                sha256="3aa5115d540b356de94791d4a74c3bf1ed91c469ecf52a4f5d7cc0506fe02e24",
                md5="a361887bacb427b8a0ce7903d92a53b4",
            ),
        ),
        targets="U0, U, H, G, homo, lumo, gap, zpve (Ha), mu (D), alpha (a0^3), r2 (a0^2), Cv (cal/mol/K)",
        source="Ramakrishnan et al. 2014, doi:10.1038/sdata.2014.22; CC0",
    ),
    "esol": Dataset(
        files=(
            PublishedFile(
                name="delaney-processed.csv",
                url=f"{_MOLECULENET}/delaney-processed.csv",
                bytes=96_699,
                sha256="8c06a76f0c6487d29ab0f903e6a7a7139f189ab3c1178f159c8be8964602f189",
            ),
        ),
        targets="measured log solubility in mols per litre",
        source="Delaney 2004, doi:10.1021/ci034243x, by MoleculeNet, doi:10.1039/C7SC02664A",
    ),
    "freesolv": Dataset(
        files=(
            PublishedFile(
                name="SAMPL.csv",
                url=f"{_MOLECULENET}/SAMPL.csv",
                bytes=32_060,
                sha256="ab5895d914ee87cb563bd7b9611e869527bba45bec6b014d34dc495a0f9dcb72",
            ),
        ),
        targets="expt (kcal/mol)",
        source="Mobley & Guthrie 2014, doi:10.1007/s10822-014-9747-x, by MoleculeNet; CC-BY-4.0",
    ),
    "tox21": Dataset(
        files=(
            PublishedFile(
                name="tox21.csv.gz", url=f"{_MOLECULENET}/tox21.csv.gz", md5="2882d69e70bba0fec14995f26787cc25"
            ),
        ),
        targets="NR-AR, NR-AR-LBD, NR-AhR, NR-Aromatase, NR-ER, NR-ER-LBD, NR-PPAR-gamma, SR-ARE, SR-ATAD5, SR-HSE, "
        "SR-MMP, SR-p53 (0 or 1)",
        source="Tox21 Data Challenge 2014, tripod.nih.gov/tox21, by MoleculeNet; public domain",
    ),
}


@dataclass(frozen=True, kw_only=True)
class FetchSummary:
    """What a call got."""

    files: tuple[Path, ...]
    made: int
    """Files downloaded by this call; the others were there before, and are whole."""
    dataset: Dataset

    def __str__(self) -> str:
        there = f"{', '.join(map(str, self.files))}: whole, {self.made} downloaded now"
        return f"{there}. Targets: {self.dataset.targets}. Source: {self.dataset.source}"


class _WrongBytesError(ValueError):
    """A file is not what its publisher has."""


def fetch_dataset(name: str, out: Path | str, base_url: str | None = None) -> FetchSummary:
    """Get a published set of molecules.

    A download that broke off goes on where it stopped, in this call or the next. A file takes its name when its size
    and checksum are right, not before; a file that was brought by hand is checked in the same way.

    Parameters
    ----------
    name
        qm9, esol, freesolv or tox21.
    out
        Folder, made where it is not there.
    base_url
        A mirror: its address, to which the files' names are added. None: where they were published.

    Raises
    ------
    InputError
        The set is unknown, the folder cannot be written to, no server answers, or what it sends is something else.
    """
    if name not in DATASETS:
        raise InputError(f"{name}: unknown; there are {', '.join(DATASETS)}")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise InputError(f"{base_url}: a mirror's address begins with http:// or https://")
    out, dataset = Path(out), DATASETS[name]
    book = out / CHECKSUMS
    written = [CHECKSUMS, *(f"{file.name}.partial" for file in dataset.files)]
    OutputFolder.claim(out, written, known=[CHECKSUMS] if book.exists() and _checksums(book) else ())
    made = 0
    for file in dataset.files:
        path = out / file.name
        url = file.url if base_url is None else f"{base_url.rstrip('/')}/{file.name}"
        if path.exists():
            try:
                _check(file, path, out)
                continue
            except _WrongBytesError as error:
                raise InputError(f"{path}: {error}. Remove it, then run again.") from error
        _download(file, url, path, out)
        made += 1
    return FetchSummary(files=tuple(out / file.name for file in dataset.files), made=made, dataset=dataset)


def _download(file: PublishedFile, url: str, path: Path, out: Path) -> None:
    partial = path.with_name(f"{path.name}.partial")
    by_hand = f"Or bring {url} by hand, to {path}: it is checked there."
    resumed = partial.exists()
    for attempt in range(MAX_ATTEMPTS):
        try:
            _append(file, url, partial)
            _check(file, partial, out)
        except _WrongBytesError as error:
            partial.unlink()
            if not resumed:
                raise InputError(f"{url}: {error}. Is it another version, or a login page? {by_hand}") from error
            resumed = False  # the beginning may have been of another version
        except HTTPError as error:
            if error.code < 500 or attempt == MAX_ATTEMPTS - 1:
                raise InputError(f"{url}: the server answers {error.code} {error.reason}. {by_hand}") from error
            time.sleep(2**attempt)
        except (URLError, HTTPException, OSError) as error:
            if attempt == MAX_ATTEMPTS - 1:
                reason = getattr(error, "reason", error)
                kept = "What has come is kept: run again to go on. " if partial.exists() else ""
                raise InputError(f"{url}: cannot be reached ({reason}). {kept}{by_hand}") from error
            resumed = partial.exists()
            time.sleep(2**attempt)
        else:
            partial.replace(path)
            return
    raise InputError(f"{url}: broke off {MAX_ATTEMPTS} times. What has come is kept: run again to go on. {by_hand}")


def _append(file: PublishedFile, url: str, partial: Path) -> None:
    """Add to a partial file what is missing of it."""
    begun = partial.stat().st_size if partial.exists() else 0
    if file.bytes is not None and begun == file.bytes:
        return
    request = Request(url, headers={"User-Agent": "tenfold", "Accept-Encoding": "identity"})
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    try:
        answer: HTTPResponse = urlopen(request, timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code == 416 and begun:  # nothing is missing, or the file is another now: its checksum tells
            error.close()
            return
        raise
    with answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {begun}-")
        begun = begun if goes_on else 0
        promised = answer.headers.get("Content-Length")
        total = begun + int(promised) if promised else None
        limit = file.bytes or MAX_DOWNLOAD_BYTES
        if total is not None and total > limit:
            partial.touch()
            raise _WrongBytesError(f"{total:,} bytes, where {limit:,} are meant")
        with partial.open("ab" if begun else "wb") as sink, progress(file.name, total or limit, "byte") as advance:
            advance(begun)
            for piece in _pieces(answer, limit - begun):
                sink.write(piece)
                advance(len(piece))
        if total is not None and partial.stat().st_size < total:
            raise ConnectionError("the connection broke off")


def _pieces(answer: BinaryIO | HTTPResponse, most: int) -> Iterator[bytes]:
    while piece := answer.read(_PIECE):
        most -= len(piece)
        if most < 0:
            raise _WrongBytesError("more bytes than are meant")
        yield piece


def _check(file: PublishedFile, path: Path, out: Path) -> None:
    """Be sure of a file's size and checksum; one that is not known beforehand is written down."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise _WrongBytesError(f"{size:,} bytes, where {file.bytes:,} are meant")
    with path.open("rb") as source:
        found = hashlib.file_digest(source, "sha256").hexdigest()
    book = out / CHECKSUMS
    known = _checksums(book) if book.exists() else {}
    expected = file.sha256 or known.get(file.name, "")
    if expected and found != expected:
        raise _WrongBytesError(f"SHA-256 {found}, where {expected} is meant")
    if file.md5 and not file.sha256:
        with path.open("rb") as source:
            md5 = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != file.md5:
            raise _WrongBytesError(f"MD5 {md5}, where {file.md5} is meant")
    if not expected:
        with replacing(book) as temporary:
            temporary.write_text(json.dumps({**known, file.name: found}, indent=1))


def _checksums(book: Path) -> dict[str, str]:
    """SHA-256 by file name, as noted at earlier downloads."""
    known = read_json(book)
    for name, digest in known.items():
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InputError(f"{book}: {name}: found {str(digest)[:80]!r}, no SHA-256. Choose another folder.")
    return known
