"""A trained network as one file: its description, its weights, the splits of its data. Data, never code."""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
from pydantic import TypeAdapter, ValidationError

from tenfold.emulators.state import arrays_of, rebuild
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.npy_bytes import array_of, bytes_of
from tenfold.pipelines.files.zip_members import read_members

VERSION = 3
LARGEST_GIB = 4.0
"""Largest size that a bundle may unpack to [GiB], where its reader is not told otherwise."""
MOST_MEMBERS = 10_000
"""Most members of the archive; a network has some ten to some hundred arrays of weights."""
_LARGEST_FACTS = 2**24
_OWN = ("format", "version", "sha256")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # members carry no time: equal content is an equal file


class Described(Protocol):
    """A frozen dataclass that determines a network: everything but the values of its weights."""

    def network(self) -> keras.Model:
        """Build the network."""
        ...


Learnt = TypeVar("Learnt", bound=Described)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a file of a trained network holds: facts as JSON, numbers as NPY, a table as CSV, in a ZIP archive.

    It is rebuilt from its facts by the code of this package. Nothing in it is executed, and no pickle is ever read, so
    that a stranger's file can be opened.
    """

    kind: str
    """``"molecules"``, ``"estimator"`` or ``"massmaps"``: the training that wrote it."""
    facts: dict[str, Any]
    """``learnt``, the description of the network, and what else is known: calibration, checksums, versions."""
    weights: tuple[np.ndarray, ...]
    """In the order of the network's variables."""
    splits: str = ""
    """CSV: source, row, split of every molecule; empty where there is no such table."""

    @classmethod
    def of(
        cls, kind: str, learnt: Described, network: keras.Model, facts: Mapping[str, Any], splits: str = ""
    ) -> "Bundle":
        """Gather what a file of a trained network holds; ``facts`` are added to its description."""
        described = {"learnt": asdict(learnt)}  # type: ignore[arg-type] (a dataclass)
        return cls(kind=kind, facts=described | dict(facts), weights=arrays_of(network), splits=splits)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; the same content gives the same bytes."""
        members: dict[str, bytes] = {"splits.csv": self.splits.encode()}
        for index, array in enumerate(self.weights):
            members[f"weights/{index:04d}.npy"] = bytes_of(array)
        about = {
            "format": f"tenfold {self.kind}",
            "version": VERSION,
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
            **{name: value for name, value in self.facts.items() if name not in _OWN},
        }
        members = {"bundle.json": (json.dumps(about, indent=1, allow_nan=False) + "\n").encode(), **members}
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)

    @classmethod
    def read(cls, path: Path, kind: str, largest_gib: float = LARGEST_GIB) -> "Bundle":
        """Read a file.

        Parameters
        ----------
        path
            The file.
        kind
            What it must be of: ``"molecules"``, ``"estimator"`` or ``"massmaps"``.
        largest_gib
            Largest size that it may unpack to [GiB]; checked before anything is unpacked.

        Raises
        ------
        InputError
            It is not there, no bundle of this kind, too large, damaged, or of a version this code does not know.
        """
        wanted = f"What is wanted is a file that `tenfold train {kind}` wrote."
        try:
            with path.open("rb") as file:
                start = file.read(4)
            if start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
                raise InputError(f"{path}: is a pickle, which could run anything when it is read; it was not. {wanted}")
            members = _members(path, largest_gib)
            about = _facts(members.pop("bundle.json"))
            if about.get("format") != f"tenfold {kind}":
                raise InputError(f"{path}: format {about.get('format')!r}. {wanted}")
            if about["version"] != VERSION:
                raise InputError(f"{path}: version {about['version']}, this code reads {VERSION}. Train again.")
            sums = about["sha256"]
            if not isinstance(sums, dict) or sums.keys() != members.keys():
                raise InputError(f"{path}: sha256 does not list the members that are there. Copy the file again.")
            for name, content in members.items():
                if hashlib.sha256(content).hexdigest() != sums[name]:
                    raise InputError(f"{path}: {name} is damaged, its SHA-256 does not agree. Copy the file again.")
            splits = members.pop("splits.csv").decode()
            weights = tuple(_weights(name, members[name]) for name in sorted(members))
            return cls(
                kind=kind,
                facts={name: value for name, value in about.items() if name not in _OWN},
                weights=weights,
                splits=splits,
            )
        except (
            OSError,
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: cannot be read as a trained network ({error}). {wanted}") from error


def read_network(
    path: Path, kind: str, described: type[Learnt], largest_gib: float = LARGEST_GIB
) -> tuple[Bundle, Learnt, keras.Model]:
    """Read a trained network: rebuilt by our code from its description, with the file's weights.

    Parameters
    ----------
    path, kind, largest_gib
        As for `Bundle.read`.
    described
        Dataclass that the description is checked against, key by key and type by type.

    Raises
    ------
    InputError
        As for `Bundle.read`; or the description is not one that this version writes, or the weights are not those of
        the network it describes, or not finite.
    """
    if not path.exists() and (before := path.with_name("network.keras")).exists():
        raise InputError(
            f"{before}: is a network as tenfold wrote it before it had {path.name}. Keras files can hold code, so that "
            "they are not read any more. Train again, in another folder."
        )
    bundle = Bundle.read(path, kind, largest_gib)
    try:
        stated = json.dumps(bundle.facts["learnt"])
        learnt = TypeAdapter(described).validate_json(stated, strict=True)
        if json.loads(json.dumps(asdict(learnt))) != bundle.facts["learnt"]:  # type: ignore[arg-type]
            raise ValueError("it has other keys or values than this version writes")
    except (KeyError, ValidationError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: describes a network this version cannot build ({_said(error)}). Train again."
        ) from None
    try:
        network = rebuild(learnt.network, bundle.weights)
    except (ValueError, TypeError, MemoryError, ArithmeticError) as error:
        raise InputError(
            f"{path}: its weights are not those of the network it describes ({error}). Train again."
        ) from error
    return bundle, learnt, network


def _members(path: Path, largest_gib: float) -> dict[str, bytes]:
    """Unpack the archive: bundle.json, splits.csv and weights/0000.npy …, nothing else."""
    members = read_members(path, largest_gib=largest_gib, most=MOST_MEMBERS)
    numbers = {name for name in members if name not in ("bundle.json", "splits.csv")}
    if "bundle.json" not in members or "splits.csv" not in members:
        raise ValueError("bundle.json or splits.csv is missing")
    if numbers != {f"weights/{index:04d}.npy" for index in range(len(numbers))}:
        odd = sorted(numbers - {f"weights/{index:04d}.npy" for index in range(len(numbers))})[0]
        raise ValueError(f"its weights are not numbered without gaps: {odd!r}")
    return members


def _facts(content: bytes) -> dict[str, Any]:
    """Read bundle.json: an object without repeated keys, NaN or infinity."""
    if len(content) > _LARGEST_FACTS:
        raise ValueError(f"bundle.json: {len(content):,} bytes, more than {_LARGEST_FACTS:,}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("bundle.json: a key stands there twice")
        return found

    def finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError(f"bundle.json: {text} is no finite number")
        return number

    try:
        facts = json.loads(content, object_pairs_hook=unique, parse_constant=finite, parse_float=finite)
    except RecursionError:
        raise ValueError("bundle.json: nested too deeply") from None
    if not isinstance(facts, dict):
        raise ValueError("bundle.json: holds no object")
    return facts


def _weights(name: str, content: bytes) -> np.ndarray:
    try:
        return array_of(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _said(error: Exception) -> str:
    """Return what a check of types has found, in a line."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:3])
