"""A trained network as one file: configuration, weights, splits and provenance. Data, never code."""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
from tenfold.pipelines.training.run_folder import KINDS, RunFolder, RunKind

FORMAT = "tenfold bundle"
VERSION = 4
EARLIER_FORMATS = ("tenfold estimator", "tenfold massmaps", "tenfold molecules")
"""Formats of bundle versions 1 to 3."""
ADDED_FIELDS = frozenset({"width", "masked", "pad", "pixel_arcmin", "mask"})
"""Fields of survey maps, which bundles of version 4 lack if they were written before there were such maps."""
LARGEST_GIB = 4.0
"""Default limit on the unpacked size of a bundle [GiB]."""
MAX_MEMBERS = 10_000
"""Limit on the number of members of the archive; a network has tens to hundreds of weight arrays."""
_LARGEST_FACTS = 2**24
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_HEADER = ("format", "version", "kind", "sha256")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # members carry no time: equal content is an equal file


class NetworkConfig(Protocol):
    """A frozen dataclass that determines a network up to the values of its weights."""

    def network(self) -> keras.Model:
        """Build the network."""
        ...


Config = TypeVar("Config", bound=NetworkConfig)
Section = TypeVar("Section")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained network: facts as JSON, weights as NPY and splits as CSV, in a ZIP archive.

    The network is rebuilt from its configuration by the code of this package. Nothing in the file is executed and no
    pickle is read, so a file of unknown origin can be opened safely.
    """

    kind: RunKind
    """Kind of the training that wrote it, by ``tenfold train KIND``."""
    facts: dict[str, Any]
    """``network``, the configuration of the network, and its provenance: units, calibration, checksums, versions."""
    weights: tuple[np.ndarray, ...]
    """Values of the network's variables, in the network's order."""
    splits: str = ""
    """CSV table of the split of every simulation or molecule; empty if unknown."""
    path: Path = field(default=Path("bundle.tenfold"), compare=False)
    """File it was read from."""

    @classmethod
    def of(
        cls, kind: RunKind, config: NetworkConfig, network: keras.Model, facts: Mapping[str, Any], splits: str = ""
    ) -> "Bundle":
        """Collect the content of a bundle; ``facts`` are added to the network's configuration."""
        network_config = {"network": asdict(config)}  # type: ignore[arg-type] (a dataclass)
        return cls(kind=kind, facts=network_config | dict(facts), weights=arrays_of(network), splits=splits)

    def write(self, path: Path) -> None:
        """Write the file atomically; equal content gives equal bytes."""
        members: dict[str, bytes] = {"splits.csv": self.splits.encode()}
        for index, array in enumerate(self.weights):
            members[f"weights/{index:04d}.npy"] = bytes_of(array)
        facts = {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
            **{name: value for name, value in self.facts.items() if name not in _HEADER},
        }
        members = {"bundle.json": (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode(), **members}
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)

    @classmethod
    def read(cls, path: Path | str, kind: RunKind | None = None, largest_gib: float = LARGEST_GIB) -> "Bundle":
        """Read a bundle.

        Parameters
        ----------
        path
            The file, or the folder of the run that wrote it.
        kind
            Required kind; any if left out.
        largest_gib
            Limit on the unpacked size [GiB]; checked before anything is unpacked.

        Raises
        ------
        InputError
            The file does not exist, is not a bundle of this kind, is too large or damaged, or was written by another
            version of tenfold.
        """
        path = find_bundle(Path(path))
        advice = f"Expected a bundle written by `tenfold train{f' {kind}' if kind else ''}`."
        try:
            with path.open("rb") as file:
                start = file.read(4)
            if start[:2] in _PICKLES:
                raise InputError(
                    f"{path}: is a pickle, which can run any code when it is read; it was not read. {advice}"
                )
            members = _members(path, largest_gib)
            facts = _facts(members.pop("bundle.json"))
            _check_header(path, facts, kind, advice)
            sums = facts["sha256"]
            if not isinstance(sums, dict) or sums.keys() != members.keys():
                raise InputError(f"{path}: sha256 does not list the members of the archive. Copy the file again.")
            for name, content in members.items():
                if hashlib.sha256(content).hexdigest() != sums[name]:
                    raise InputError(f"{path}: {name} is damaged: its SHA-256 differs. Copy the file again.")
            splits = members.pop("splits.csv").decode()
            return cls(
                kind=facts["kind"],
                facts={name: value for name, value in facts.items() if name not in _HEADER},
                weights=tuple(_weights(name, members[name]) for name in sorted(members)),
                splits=splits,
                path=path,
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
            raise InputError(f"{path}: cannot be read as a trained network ({error}). {advice}") from error

    def section(self, name: str, kind: type[Section]) -> Section:
        """Return one of the facts as a dataclass, checked key by key and type by type.

        Raises
        ------
        InputError
            It is missing, or does not hold exactly the fields of the dataclass, except for `ADDED_FIELDS`.
        """
        try:
            stated = self.facts[name]
            section = TypeAdapter(kind).validate_json(json.dumps(stated), strict=True)
            if not _agrees(stated, json.loads(json.dumps(asdict(section)))):  # type: ignore[arg-type]
                raise ValueError("its keys or values are not those that this version writes")
        except (KeyError, ValidationError, ValueError, RecursionError) as error:
            raise InputError(f"{self.path}: {name}: cannot be read ({_reason(error)}). Train again.") from None
        return section

    def rebuild(self, kind: type[Config]) -> tuple[Config, keras.Model]:
        """Rebuild the network from its configuration, and assign its weights.

        Parameters
        ----------
        kind
            Dataclass of the configuration.

        Returns
        -------
        config, network
            The configuration and the Keras model.

        Raises
        ------
        InputError
            The configuration is not one that this version writes, or the weights do not fit the network it describes,
            or are not finite.
        """
        config = self.section("network", kind)
        try:
            return config, rebuild(config.network, self.weights)
        except (ValueError, TypeError, MemoryError, ArithmeticError) as error:
            raise InputError(
                f"{self.path}: its weights do not fit the network it describes ({error}). Train again."
            ) from error


def _agrees(stated: Any, read: Any) -> bool:
    """Whether facts were read as they are stated; `ADDED_FIELDS` that are not stated were read as their defaults."""
    if isinstance(stated, dict) and isinstance(read, dict):
        added = read.keys() - stated.keys()
        return (
            stated.keys() <= read.keys()
            and added <= ADDED_FIELDS
            and all(_agrees(value, read[key]) for key, value in stated.items())
        )
    if isinstance(stated, list) and isinstance(read, list):
        return len(stated) == len(read) and all(map(_agrees, stated, read))
    return stated == read


def find_bundle(path: Path) -> Path:
    """Return the file of a trained network, given the file itself or the folder of the run that wrote it.

    Raises
    ------
    InputError
        The folder holds no trained network, or one that an earlier version of tenfold wrote.
    """
    if not path.is_dir():
        return path
    folder = RunFolder(path)
    if folder.bundle.exists():
        return folder.bundle
    for name in ("network.tenfold", "network.keras"):
        if (earlier := path / name).exists():
            raise InputError(
                f"{earlier}: was written by an earlier version of tenfold, whose format this version does not read. "
                "Train again, in another folder."
            )
    folder.read_record()  # explains a training that has not finished
    raise InputError(f"{folder.bundle}: does not exist. Copy it from the original run, or train again.")


def _check_header(path: Path, facts: dict[str, Any], kind: RunKind | None, advice: str) -> None:
    """Refuse a bundle of another format, version or kind."""
    stated, version = facts.get("format"), facts.get("version")
    if stated in EARLIER_FORMATS and isinstance(version, int) and version < VERSION:
        raise InputError(
            f"{path}: was written by an earlier version of tenfold (bundle version {version}; this version reads "
            f"{VERSION}). Train again."
        )
    if stated != FORMAT:
        raise InputError(f"{path}: format {stated!r}. {advice}")
    if version != VERSION:
        raise InputError(f"{path}: bundle version {version}; this version of tenfold reads {VERSION}. Train again.")
    if facts["kind"] not in KINDS:
        raise InputError(f"{path}: kind {facts['kind']!r}; valid are {', '.join(KINDS)}. {advice}")
    if kind is not None and facts["kind"] != kind:
        raise InputError(f"{path}: is a bundle of `tenfold train {facts['kind']}`. {advice}")


def _members(path: Path, largest_gib: float) -> dict[str, bytes]:
    """Unpack the archive: bundle.json, splits.csv and weights/0000.npy …, nothing else."""
    members = read_members(path, largest_gib=largest_gib, most=MAX_MEMBERS)
    arrays = {name for name in members if name not in ("bundle.json", "splits.csv")}
    if "bundle.json" not in members or "splits.csv" not in members:
        raise ValueError("bundle.json or splits.csv is missing")
    expected = {f"weights/{index:04d}.npy" for index in range(len(arrays))}
    if arrays != expected:
        raise ValueError(f"its weights are not numbered without gaps: {sorted(arrays - expected)[0]!r}")
    return members


def _facts(content: bytes) -> dict[str, Any]:
    """Read bundle.json: an object without repeated keys, NaN or infinity."""
    if len(content) > _LARGEST_FACTS:
        raise ValueError(f"bundle.json: {len(content):,} bytes, more than {_LARGEST_FACTS:,}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise ValueError("bundle.json: a key is repeated")
        return entries

    def finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError(f"bundle.json: {text} is not a finite number")
        return number

    try:
        facts = json.loads(content, object_pairs_hook=unique, parse_constant=finite, parse_float=finite)
    except RecursionError:
        raise ValueError("bundle.json: nested too deeply") from None
    if not isinstance(facts, dict):
        raise ValueError("bundle.json: is not an object")
    return facts


def _weights(name: str, content: bytes) -> np.ndarray:
    try:
        return array_of(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _reason(error: Exception) -> str:
    """Summarise in one line why a section was refused."""
    if isinstance(error, KeyError):
        return "it is missing"
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:3])
