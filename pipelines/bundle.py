"""A trained molecular network as one file: network, featuriser, units, splits, calibration. Data, never code."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing

FORMAT = "tenfold molecules"
VERSION = 2  # since chirality is by CIP labels
_EPOCH = (1980, 1, 1, 0, 0, 0)  # members carry no time: equal content is an equal file


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a file of a trained network holds: facts as JSON, numbers as NPY, a table as CSV, in a ZIP archive.

    It is rebuilt from its facts by the code of this package. Nothing in it is executed, and no pickle is ever read, so
    that a stranger's file can be opened.
    """

    facts: dict[str, Any]
    """Configuration of network and featuriser, targets, scaling, calibration, checksums of the data, versions."""
    weights: tuple[np.ndarray, ...]
    """In the order of the network's variables."""
    splits: str
    """CSV: source, row, split of every molecule."""

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; the same content gives the same bytes."""
        members: dict[str, bytes] = {"splits.csv": self.splits.encode()}
        for index, array in enumerate(self.weights):
            buffer = io.BytesIO()
            np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
            members[f"weights/{index:04d}.npy"] = buffer.getvalue()
        about = {
            "format": FORMAT,
            "version": VERSION,
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
            **self.facts,
        }
        members = {"bundle.json": (json.dumps(about, indent=1, allow_nan=False) + "\n").encode(), **members}
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)

    @classmethod
    def read(cls, path: Path) -> "Bundle":
        """Read a file.

        Raises
        ------
        InputError
            It is not there, no bundle, damaged, or of a version this code does not know.
        """
        try:
            with path.open("rb") as file:
                start = file.read(4)
            if start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
                raise InputError(
                    f"{path}: is a pickle, which could run anything when it is read; it was not. {_WANTED}"
                )
            with zipfile.ZipFile(path) as archive:
                about = json.loads(archive.read("bundle.json"))
                if about.get("format") != FORMAT:
                    raise InputError(f"{path}: format {about.get('format')!r}. {_WANTED}")
                if about["version"] != VERSION:
                    raise InputError(f"{path}: version {about['version']}, this code reads {VERSION}. Train again.")
                members = {name: archive.read(name) for name in about["sha256"]}
            for name, content in members.items():
                if hashlib.sha256(content).hexdigest() != about["sha256"][name]:
                    raise InputError(f"{path}: {name} is damaged, its SHA-256 does not agree. Copy the file again.")
            names = sorted(name for name in members if name.startswith("weights/"))
            weights = tuple(np.load(io.BytesIO(members[name]), allow_pickle=False) for name in names)
            return cls(facts=about, weights=weights, splits=members["splits.csv"].decode())
        except (OSError, zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as a trained network ({error}). {_WANTED}") from error


_WANTED = "What is wanted is a file that `tenfold train molecules` wrote."
