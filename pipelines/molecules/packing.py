"""Packing of molecules into one shard: parsed, featurised, checked, and written atomically."""

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from rdkit import rdBase

from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.molecules.cells import (
    IgnoredLabels,
    UnusableLabelError,
    check_labels_agree,
    merge_counts,
    parse_label,
)
from tenfold.pipelines.molecules.classes import Classes
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.parsing import parse_records
from tenfold.pipelines.molecules.splits import Folds
from tenfold.pipelines.readers.labels_table import candidate_names, read_labels
from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.molecules import RecordRange, read_range

VERSION = 2  # since 2, chirality is encoded by CIP labels


@dataclass(frozen=True, kw_only=True)
class RejectedMolecule:
    """A row that cannot be used, with the reason."""

    file: str
    line: int
    text: str
    reason: str
    excluded: bool = False
    """Whether the user excluded it."""


@dataclass(frozen=True, kw_only=True)
class MoleculeShardTask:
    """The task of packing one shard."""

    out: Path
    spans: tuple[RecordRange, ...]
    featuriser: Featuriser
    targets: tuple[str, ...]
    factors: tuple[float, ...]
    """Factors from the unit of the format to the unit of the configuration, one per target."""
    classes: tuple[Classes, ...]
    """Classes of each target, none for regression."""
    labels_by: Literal["name", "order"]
    split_column: str
    folds: Folds
    excluded: frozenset[str]
    seconds: float
    tables: str
    """SHA-256 of the tables of labels and of excluded molecules."""

    @property
    def first(self) -> str:
        """Position of the first row, for messages."""
        return f"{self.spans[0].file.data.name}, from line {self.spans[0].start.line} on"

    @property
    def rules(self) -> dict:
        """Everything that determines the bytes of the shard."""
        rules = {
            "version": VERSION,
            "rdkit": rdBase.rdkitVersion,
            "featuriser": asdict(self.featuriser),
            "targets": self.targets,
            "factors": self.factors,
            "classes": [classes.names for classes in self.classes],
            "labels": [span.file.labels and read_labels(span.file.labels).digest for span in self.spans],
            "labels_by": [self.labels_by, *(span.first_row for span in self.spans)],
            "split_column": self.split_column,
            "folds": asdict(self.folds),
            "published": [span.file.split for span in self.spans],
            "seconds": self.seconds,
            "besides": self.tables,
            "spans": [[span.file.data.name, span.start.line, span.count, span.digest] for span in self.spans],
            "smiles": [span.file.smiles_column for span in self.spans],
        }
        return json.loads(json.dumps(rules))


@dataclass(frozen=True, kw_only=True)
class PackedMolecules:
    """Content of one shard."""

    records: int
    bytes: int
    rejected: tuple[RejectedMolecule, ...]
    ignored_labels: tuple[IgnoredLabels, ...]
    """Cells without a usable label, of the molecules in the shard."""
    made: bool


def pack_molecules(task: MoleculeShardTask) -> PackedMolecules:
    """Pack one shard, unless it exists and was made from the same rows by the same rules.

    Raises `OSError` if the shard cannot be written.
    """
    if (existing := _existing(task)) is not None:
        return existing
    rows = [(span, n, record) for span in task.spans for n, record in enumerate(read_range(span), span.first_row)]
    rejected: list[RejectedMolecule] = []
    accepted: list[tuple[RecordRange, MoleculeRecord, list[float], str, list[tuple[str, UnusableLabelError]]]] = []
    for span, n, record in rows:
        try:
            targets, split, ignored = _labels(span, n, record, task)
        except ValueError as error:
            rejected.append(_rejected(span, record, str(error), excluded=isinstance(error, _ExcludedError)))
        else:
            accepted.append((span, record, targets, split, ignored))
    reasons: list[str | None] = []
    chunks = []
    for chunk in parse_records([record for _, record, *_ in accepted], task.featuriser, task.seconds):
        chunks.append(chunk)
        reasons += chunk.reasons
    rejected += [
        _rejected(span, record, reason) for (span, record, *_), reason in zip(accepted, reasons, strict=True) if reason
    ]
    accepted = [row for row, reason in zip(accepted, reasons, strict=True) if reason is None]
    order = {(span.file.data.name, record.line): n for n, (span, _, record) in enumerate(rows)}
    rejected.sort(key=lambda row: order[row.file, row.line])
    ignored_labels = merge_counts(
        IgnoredLabels(
            target=name,
            reason=error.reason,
            count=1,
            first=f"{span.file.data.name}, line {record.line}: {error.text[:40]!r}",
        )
        for span, record, *_, ignored in accepted
        for name, error in ignored
    )
    file_names = [span.file.data.name for span, *_ in accepted]
    files = {name: number for number, name in enumerate(dict.fromkeys(file_names))}
    with replacing(task.out) as temporary:
        with h5py.File(temporary, "w") as file:
            graphs = Graphs.join([chunk.graphs for chunk in chunks]) if chunks else task.featuriser.graphs([])[0]
            targets = np.array([row[2] for row in accepted], np.float64).reshape(len(accepted), len(task.targets))
            for name, values in vars(graphs).items():
                if values is not None:
                    file[name] = values
            file["targets"] = targets
            file["crc32"] = checksums(graphs, targets)
            file["fingerprints"] = np.concatenate(
                [np.empty((0, 256), np.uint8), *(chunk.fingerprints for chunk in chunks)]
            )
            file["file"] = np.array([files[name] for name in file_names], np.int32)
            file["line"] = np.array([row[1].line for row in accepted], np.int64)
            _write_texts(file, "files", list(files))
            _write_texts(file, "smiles", [smiles for chunk in chunks for smiles in chunk.smiles])
            _write_texts(file, "keys", [key for chunk in chunks for key in chunk.keys])
            _write_texts(file, "scaffolds", [scaffold for chunk in chunks for scaffold in chunk.scaffolds])
            _write_texts(file, "splits", [row[3] for row in accepted])
            metadata = {
                "rules": task.rules,
                "rejected": [asdict(row) for row in rejected],
                "blanked": [asdict(cells) for cells in ignored_labels],
            }
            _write_texts(file, "about", [json.dumps(metadata)])
        size = temporary.stat().st_size
    return PackedMolecules(
        records=len(accepted), bytes=size, rejected=tuple(rejected), ignored_labels=ignored_labels, made=True
    )


def checksums(graphs: Graphs, targets: np.ndarray) -> np.ndarray:
    """Return the CRC32 of each molecule's atoms, bonds, positions and targets, shape (G,), uint32."""
    arrays = ((graphs.atoms, graphs.atom_offsets), (graphs.bonds, graphs.bond_offsets))
    arrays += ((graphs.bond_features, graphs.bond_offsets), (targets, np.arange(len(graphs) + 1)))
    if graphs.positions is not None:
        arrays += ((graphs.positions, graphs.atom_offsets),)
    crc32 = [0] * len(graphs)
    for rows, offsets in arrays:
        data = memoryview(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
        starts = (offsets * rows.itemsize * rows.shape[1]).tolist()
        for n in range(len(graphs)):
            crc32[n] = zlib.crc32(data[starts[n] : starts[n + 1]], crc32[n])
    return np.array(crc32, np.uint32)


def read_texts(file: h5py.File, name: str) -> list[str]:
    """Read texts that `pack_molecules` has written."""
    data, ends = file[name][:].tobytes(), file[f"{name}_ends"][:].tolist()
    return [data[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


def _write_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    """Write texts one after the other, and the offset at which each ends [bytes]."""
    encoded = [text.encode() for text in texts]
    file[name] = np.frombuffer(b"".join(encoded), np.uint8)
    file[f"{name}_ends"] = np.cumsum([len(text) for text in encoded], dtype=np.int64)


class _ExcludedError(ValueError):
    """A molecule that the user excluded."""


def _labels(
    span: RecordRange, n: int, record: MoleculeRecord, task: MoleculeShardTask
) -> tuple[list[float], str, list[tuple[str, UnusableLabelError]]]:
    """Return the targets of a record (NaN where missing), its published split, and the labels that are unusable."""
    if record.problem:
        raise ValueError(record.problem)
    is_table = span.file.format == "table"
    title = record.fields.get("mol_id") or (record.fields.get("name") if is_table else "") or record.text
    needs_names = task.excluded or span.file.labels is not None
    names = candidate_names(title, span.file.data.name) if needs_names else []
    if task.excluded and task.excluded.intersection([*names, record.text, title.removeprefix("gdb_")]):
        raise _ExcludedError("excluded by the user")
    fields = record.fields
    if span.file.labels is not None:
        labels = read_labels(span.file.labels)
        row = labels.rows[n] if task.labels_by == "order" else labels.find(names)
        if row is None:
            raise ValueError(f"has no row in {span.file.labels.name}")
        check_labels_agree(fields, row, task.targets, span.file.labels.name)
        fields = {**fields, **row}
    values, ignored = [], []
    for name, factor, classes in zip(task.targets, task.factors, task.classes, strict=True):
        try:
            value = parse_label(fields.get(name, ""), classes)
            values.append(value if classes.names else value * factor)
        except UnusableLabelError as error:
            values.append(math.nan)
            ignored.append((name, error))
    if ignored and all(map(math.isnan, values)):
        raise ValueError(f"{ignored[0][0]}: {ignored[0][1]}")
    if task.split_column:
        return values, task.folds.split(fields.get(task.split_column, "")), ignored
    return values, span.file.split, ignored


def _rejected(span: RecordRange, record: MoleculeRecord, reason: str, *, excluded: bool = False) -> RejectedMolecule:
    return RejectedMolecule(
        file=span.file.data.name, line=record.line, text=record.text[:200], reason=reason[:300], excluded=excluded
    )


def _existing(task: MoleculeShardTask) -> PackedMolecules | None:
    """Return the content of an existing shard, None unless it was made from the same rows by the same rules."""
    try:
        with h5py.File(task.out, "r") as file:
            metadata = json.loads(read_texts(file, "about")[0])
            records = len(file["crc32"])
    except (OSError, KeyError, RuntimeError, ValueError, IndexError):
        return None
    if metadata["rules"] != task.rules:
        return None
    return PackedMolecules(
        records=records,
        bytes=task.out.stat().st_size,
        rejected=tuple(RejectedMolecule(**row) for row in metadata["rejected"]),
        ignored_labels=tuple(IgnoredLabels(**cells) for cells in metadata["blanked"]),
        made=False,
    )
