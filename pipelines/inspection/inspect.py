"""Inspection of a file of any kind: fields, particle snapshots, molecules, tables of parameters."""

import contextlib
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.inspection.fields import inspect_fields
from tenfold.pipelines.inspection.inspection import Inspection
from tenfold.pipelines.inspection.masks import inspect_mask
from tenfold.pipelines.inspection.molecules import holds_molecules, inspect_molecules
from tenfold.pipelines.inspection.tables import inspect_table


def inspect_file(path: Path) -> Inspection:
    """Inspect a file; a folder is inspected by its first file, in order of path.

    Raises
    ------
    InputError
        The path does not exist, or the folder holds no file.
    """
    if path.is_dir():
        return _folder(path)
    if not path.exists() and not path.is_symlink():
        raise InputError(f"{path}: there is no such file or folder")
    if holds_molecules(path):
        return inspect_molecules(path)
    fields = inspect_fields(path)
    if fields.kind:
        return fields
    for inspect in (inspect_mask, inspect_table):
        with contextlib.suppress(InputError):
            return inspect(path)
    return fields


def _folder(folder: Path) -> Inspection:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise InputError(f"{folder}: holds no file")
    first = inspect_file(files[0])
    facts = {"files": f"{len(files):,}; what follows is about {files[0].relative_to(folder)}", **first.facts}
    command = first.command.replace(str(files[0]), str(folder))
    return Inspection(path=folder, kind=first.kind, facts=facts, problems=first.problems, command=command)
