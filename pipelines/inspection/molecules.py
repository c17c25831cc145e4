"""Inspection of files of molecules: tables, SD files, XYZ, archives of them."""

import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.inspection.inspection import Inspection
from tenfold.pipelines.molecules.classes import parse_number
from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.sources import find_molecule_sources, has_molecule_ending, inspect_files
from tenfold.pipelines.readers.molecules import read_records

ROWS = 10_000
"""Number of molecules that are read; of larger files only their beginning."""


def holds_molecules(path: Path) -> bool:
    """Whether a file has the ending of a file of molecules, and can be read as one."""
    if not has_molecule_ending(path):
        return False
    try:
        inspect_molecules(path)
    except InputError:
        return path.suffix not in (".csv", ".tsv")  # a table of parameters may be
    return True


def inspect_molecules(path: Path) -> Inspection:
    """Inspect a file of molecules; at most `ROWS` of them are read.

    Raises
    ------
    InputError
        The file is not one of molecules.
    """
    config = MoleculeIngest()
    (source,) = find_molecule_sources([path], config)
    formats: Counter[str] = Counter()
    cells: dict[str, list[str]] = {}
    count, unread, problems = 0, False, []
    with tempfile.TemporaryDirectory() as spool:
        for file in inspect_files(source, Path(spool) / "unpacked", config):
            formats[file.format] += 1
            with file.data.lines(file.start) as lines:
                for record in islice(read_records(file, lines), ROWS - count):
                    count += 1
                    for name, cell in record.fields.items():
                        cells.setdefault(name, []).append(cell)
                    if record.problem and not problems:
                        problems.append(f"line {record.line}: {record.problem}")
            if count >= ROWS:
                unread = True
                break
    if not count:
        raise InputError(f"{path}: there is no molecule in it")
    numeric = {name: numbers for name, texts in cells.items() if (numbers := _numbers(texts))}
    facts = {"molecules": f"{count:,} or more" if unread else f"{count:,}"}
    for name, numbers in numeric.items():
        missing = count - len(numbers)
        facts[name] = f"{min(numbers):g} to {max(numbers):g}{f', missing in {missing:,}' if missing else ''}"
    other = [name for name in cells if name not in numeric]
    if other:
        facts["text in"] = ", ".join(other)
    targets = [name for name, numbers in numeric.items() if len(set(numbers)) > 1]
    target = f"--target '{targets[0]}'" if targets and " " in targets[0] else f"--target {(targets or ['COLUMN'])[0]}"
    return Inspection(
        path=path, kind=f"molecules ({', '.join(formats)})", facts=facts, problems=tuple(problems),
        command=f"tenfold ingest molecules {path} {target} --out data",
    )  # fmt: skip


def _numbers(cells: list[str]) -> list[float]:
    """Return the numbers of a column; none unless all its cells are numbers or empty."""
    filled = [cell for cell in cells if cell.strip()]
    numbers = [number for cell in filled if (number := parse_number(cell)) is not None]
    return numbers if len(numbers) == len(filled) else []
