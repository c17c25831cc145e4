"""Download of published data sets of molecules: resumable, verified by checksum, complete or absent."""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_json
from tenfold.pipelines.storage.output_folder import OutputFolder

CHECKSUMS = "checksums.json"
"""File that records the SHA-256 of downloads whose publisher gives none."""
TIMEOUT_S = 60.0
"""Time limit of a server response [s]."""
MAX_ATTEMPTS = 4
"""Number of attempts to download a file."""
MAX_DOWNLOAD_BYTES = 2**30
"""Size limit of files whose size is not known in advance [bytes]."""
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A published file: name, address, size and checksum."""

    name: str
    url: str
    bytes: int | None = None
    """Size; None: not known in advance."""
    sha256: str = ""
    """Empty: not known in advance; recorded at the first download and checked from then on."""
    md5: str = ""
    """Given if the publisher provides no SHA-256."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published data set of molecules."""

    files: tuple[PublishedFile, ...]
    targets: str
    """Target columns and their units."""
    source: str
    """Citation and licence."""


_MOLECULENET = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets"
_FIGSHARE = "https://ndownloader.figshare.com/files"


def _moleculenet(name: str, *, targets: str, source: str, **checks: Any) -> Dataset:
    """Return a data set of MoleculeNet, one file."""
    return Dataset(
        files=(PublishedFile(name=name, url=f"{_MOLECULENET}/{name}", **checks),), targets=targets, source=source
    )


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
    "esol": _moleculenet(
        "delaney-processed.csv",
        bytes=96_699,
        sha256="8c06a76f0c6487d29ab0f903e6a7a7139f189ab3c1178f159c8be8964602f189",
        targets="measured log solubility in mols per litre",
        source="Delaney 2004, doi:10.1021/ci034243x, by MoleculeNet, doi:10.1039/C7SC02664A",
    ),
    "freesolv": _moleculenet(
        "SAMPL.csv",
        bytes=32_060,
        sha256="ab5895d914ee87cb563bd7b9611e869527bba45bec6b014d34dc495a0f9dcb72",
        targets="expt (kcal/mol)",
        source="Mobley & Guthrie 2014, doi:10.1007/s10822-014-9747-x, by MoleculeNet; CC-BY-4.0",
    ),
    "tox21": _moleculenet(
        "tox21.csv.gz",
        md5="2882d69e70bba0fec14995f26787cc25",
        targets="NR-AR, NR-AR-LBD, NR-AhR, NR-Aromatase, NR-ER, NR-ER-LBD, NR-PPAR-gamma, SR-ARE, SR-ATAD5, SR-HSE, "
        "SR-MMP, SR-p53 (0 or 1)",
        source="Tox21 Data Challenge 2014, tripod.nih.gov/tox21, by MoleculeNet; public domain",
    ),
}


def citation(checksums: Iterable[str]) -> str | None:
    """Return reference and licence of the published set that files belong to, by their SHA-256; None if unknown."""
    known = set(checksums)
    for dataset in DATASETS.values():
        if any(file.sha256 in known for file in dataset.files if file.sha256):
            return dataset.source
    return None


@dataclass(frozen=True, kw_only=True)
class FetchSummary:
    """Result of `fetch_dataset`."""

    files: tuple[Path, ...]
    made: int
    """Number of files downloaded by this call; the others existed and are complete."""
    dataset: Dataset

    def __str__(self) -> str:
        files = f"{', '.join(map(str, self.files))}: complete, {self.made} downloaded now"
        return f"{files}. Targets: {self.dataset.targets}. Source: {self.dataset.source}"


class _ContentError(ValueError):
    """A file differs from the published one."""


def fetch_dataset(name: str, out: Path | str, base_url: str | None = None) -> FetchSummary:
    """Download a published data set of molecules.

    An interrupted download is resumed, in this call or the next. A file gets its final name only when its size and
    checksum are correct. Files that were downloaded by hand are checked in the same way.

    Parameters
    ----------
    name
        Data set: qm9, esol, freesolv or tox21.
    out
        Output folder, created if it does not exist.
    base_url
        Address of a mirror, to which the file names are appended. None: the publisher's address.

    Raises
    ------
    InputError
        The data set is unknown, the folder cannot be written to, no server responds, or a file is not the published
        one.
    """
    if name not in DATASETS:
        raise InputError(f"{name}: unknown data set; available are {', '.join(DATASETS)}")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise InputError(f"{base_url}: the address of a mirror must begin with http:// or https://")
    out, dataset = Path(out), DATASETS[name]
    record = out / CHECKSUMS
    written = [CHECKSUMS, *(f"{file.name}.partial" for file in dataset.files)]
    OutputFolder.claim(out, written, known=[CHECKSUMS] if record.exists() and _checksums(record) else ())
    made = 0
    for file in dataset.files:
        path = out / file.name
        url = file.url if base_url is None else f"{base_url.rstrip('/')}/{file.name}"
        if path.exists():
            try:
                _check(file, path, out)
                continue
            except _ContentError as error:
                raise InputError(f"{path}: {error}. Remove it, then run again.") from error
        _download(file, url, path, out)
        made += 1
    return FetchSummary(files=tuple(out / file.name for file in dataset.files), made=made, dataset=dataset)


def _download(file: PublishedFile, url: str, path: Path, out: Path) -> None:
    partial = path.with_name(f"{path.name}.partial")
    by_hand = f"Or download {url} by hand to {path}; it is checked there."
    resumed = partial.exists()
    for attempt in range(MAX_ATTEMPTS):
        try:
            _append(file, url, partial)
            _check(file, partial, out)
        except _ContentError as error:
            partial.unlink()
            if not resumed:
                raise InputError(f"{url}: {error}. Is it another version, or a login page? {by_hand}") from error
            resumed = False  # the existing part may be of another version
        except HTTPError as error:
            if error.code < 500 or attempt == MAX_ATTEMPTS - 1:
                raise InputError(f"{url}: the server responds {error.code} {error.reason}. {by_hand}") from error
            time.sleep(2**attempt)
        except (URLError, HTTPException, OSError) as error:
            if attempt == MAX_ATTEMPTS - 1:
                reason = getattr(error, "reason", error)
                resume = "The partial download is kept: run again to resume. " if partial.exists() else ""
                raise InputError(f"{url}: cannot be reached ({reason}). {resume}{by_hand}") from error
            resumed = partial.exists()
            time.sleep(2**attempt)
        else:
            partial.replace(path)
            return
    raise InputError(
        f"{url}: interrupted {MAX_ATTEMPTS} times. The partial download is kept: run again to resume. {by_hand}"
    )


def _append(file: PublishedFile, url: str, partial: Path) -> None:
    """Download the missing part of a partial file."""
    received = partial.stat().st_size if partial.exists() else 0
    if file.bytes is not None and received == file.bytes:
        return
    request = Request(url, headers={"User-Agent": "tenfold", "Accept-Encoding": "identity"})
    if received:
        request.add_header("Range", f"bytes={received}-")
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code == 416 and received:  # complete, or another version: the checksum decides
            error.close()
            return
        raise
    with response:
        resumes = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {received}-")
        received = received if resumes else 0
        length = response.headers.get("Content-Length")
        total = received + int(length) if length else None
        limit = file.bytes or MAX_DOWNLOAD_BYTES
        if total is not None and total > limit:
            partial.touch()
            raise _ContentError(f"{total:,} bytes, expected {limit:,}")
        with partial.open("ab" if received else "wb") as sink, progress(file.name, total or limit, "byte") as advance:
            advance(received)
            for chunk in _chunks(response, limit - received):
                sink.write(chunk)
                advance(len(chunk))
        if total is not None and partial.stat().st_size < total:
            raise ConnectionError("the connection was interrupted")


def _chunks(response: BinaryIO | HTTPResponse, limit: int) -> Iterator[bytes]:
    while chunk := response.read(_CHUNK_BYTES):
        limit -= len(chunk)
        if limit < 0:
            raise _ContentError("more bytes than expected")
        yield chunk


def _check(file: PublishedFile, path: Path, out: Path) -> None:
    """Check the size and checksum of a file; record a checksum that was not known in advance."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise _ContentError(f"{size:,} bytes, expected {file.bytes:,}")
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    record = out / CHECKSUMS
    known = _checksums(record) if record.exists() else {}
    expected = file.sha256 or known.get(file.name, "")
    if expected and sha256 != expected:
        raise _ContentError(f"SHA-256 {sha256}, expected {expected}")
    if file.md5 and not file.sha256:
        with path.open("rb") as source:
            md5 = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != file.md5:
            raise _ContentError(f"MD5 {md5}, expected {file.md5}")
    if not expected:
        with replacing(record) as temporary:
            temporary.write_text(json.dumps({**known, file.name: sha256}, indent=1))


def _checksums(record: Path) -> dict[str, str]:
    """SHA-256 by file name, as recorded at earlier downloads."""
    known = read_json(record)
    for name, digest in known.items():
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InputError(
                f"{record}: {name}: found {str(digest)[:80]!r}, which is not a SHA-256. Choose another folder."
            )
    return known
