"""Output folders with a record of the files that tenfold made; no other file is overwritten or removed."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import HALF_WRITTEN, replacing, writable

RECORD = ".tenfold.json"
"""Name of the record, which lists all files in its folder that tenfold made or is about to make."""

_OF_THE_SYSTEM = re.compile(r"\.DS_Store|\.directory|\.nfs[0-9a-f]+|Thumbs\.db|desktop\.ini|lost\+found")


@dataclass(frozen=True)
class OutputFolder:
    """A folder that tenfold writes to, with the names of its own files."""

    path: Path
    names: frozenset[str]
    """Files and folders that tenfold made, or is about to make."""

    @classmethod
    def claim(cls, path: Path | str, names: Iterable[str], *, alone: bool = False, known: Collection[str] = ()) -> Self:
        """Claim names in a folder, creating it if needed; the record is written before any other file.

        Temporary files of a killed run under a claimed name are removed.

        Parameters
        ----------
        path
            The folder.
        names
            Names of files and folders that are about to be written.
        alone
            Whether the folder may hold only files of tenfold, as a folder of shards.
        known
            Names known to be tenfold's own from another source than the record, such as a manifest.

        Raises
        ------
        InputError
            The folder cannot be written to, or holds a file that tenfold did not make: one of these names or, with
            `alone`, any.
        """
        path, names = Path(path), frozenset(names)
        for name in (*names, *known):
            if not is_plain(name):
                raise InputError(f"{path}: {name!r} is not the name of a file in it. Choose another folder.")
        recorded = _read(path)
        before = frozenset(known) | (recorded or frozenset())
        if not alone and recorded is None and _of_an_earlier_version(path):
            before |= names
        swept = before | {RECORD, ""} | (names if before else frozenset())
        stale = []
        for entry in sorted(path.iterdir()) if path.is_dir() else ():
            if (of := half_written(entry)) is not None and of in swept:
                stale.append(entry)
            elif entry.name in before or entry.name == RECORD or _OF_THE_SYSTEM.fullmatch(entry.name):
                continue
            elif entry.name in names:
                advice = "Move it away, or choose another folder."
                raise InputError(f"{entry}: was not made by tenfold, and would be overwritten. {advice}")
            elif alone and not (before and entry.name.startswith(".")):
                advice = "Choose a folder that is new or empty."
                raise InputError(f"{path}: holds {entry.name}, which was not made by tenfold. {advice}")
        writable(path)
        for entry in stale:
            entry.unlink(missing_ok=True)
        claimed = cls(path, before | names)
        if claimed.names != recorded:
            claimed._write()
        return claimed

    def add(self, names: Iterable[str]) -> Self:
        """Claim further names, by the rules of `claim`."""
        return type(self).claim(self.path, names, known=self.names)

    def keep(self, names: Iterable[str]) -> Self:
        """Remove the recorded files that are not among `names`; other files are left alone."""
        kept = type(self)(self.path, frozenset(names))
        for name in self.names - kept.names:
            if (self.path / name).is_file() or (self.path / name).is_symlink():
                (self.path / name).unlink()
        if kept.names != self.names:
            kept._write()
        return kept

    def _write(self) -> None:
        text = json.dumps({"made_by": "tenfold", "files": sorted(self.names)}, indent=1, ensure_ascii=False)
        try:
            with replacing(self.path / RECORD) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            message = f"{self.path / RECORD}: could not be written ({error}). Make room, then run again."
            raise InputError(message) from error


def is_plain(name: str) -> bool:
    """Whether a name is a plain file name: neither a path nor hidden."""
    return bool(name) and not name.startswith(".") and not set(name) & {"/", "\\", "\0"}


def half_written(path: Path) -> str | None:
    """Return the final name of a temporary file of `replacing`, "" for a probe, None for any other file."""
    match = HALF_WRITTEN.fullmatch(path.name)
    if match is None or path.is_symlink() or not path.is_file():
        return None
    return match["name"] or ("" if not path.stat().st_size else None)


def _read(path: Path) -> frozenset[str] | None:
    """Return the names in a folder's record, None if there is no record."""
    file = path / RECORD
    try:
        record = json.loads(file.read_bytes())
        names = record["files"]
        if record["made_by"] != "tenfold" or not all(isinstance(name, str) and is_plain(name) for name in names):
            raise ValueError("it lists names that are not files of its folder")
        return frozenset(names)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{file}: not a record of tenfold ({error}). Choose another folder.") from error


def _of_an_earlier_version(path: Path) -> bool:
    """Whether a folder without a record is a run, a report or a study of an earlier version."""

    def read(name: str) -> dict[str, Any]:
        try:
            record = json.loads((path / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    stages = read("stages.json").values()
    return (
        {"fingerprint", "data"} <= read("run.json").keys()
        or "environment" in read("metrics.json")
        or (bool(stages) and all(isinstance(seconds, float) for seconds in stages))
    )
