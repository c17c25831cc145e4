"""Some rows of molecules into one shard: understood, featurised, checked, written whole or not at all."""

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

VERSION = 2  # since chirality is by CIP labels


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A row that was left out, and why."""

    file: str
    line: int
    text: str
    reason: str
    asked: bool = False
    """Whether the user asked for it to be left out."""


@dataclass(frozen=True, kw_only=True)
class MoleculePacking:
    """One shard to be made."""

    out: Path
    spans: tuple[RecordRange, ...]
    featuriser: Featuriser
    targets: tuple[str, ...]
    factors: tuple[float, ...]
    """What the targets are multiplied by, from the unit of the format to the one asked for."""
    classes: tuple[Classes, ...]
    """Of each target; none where its labels are numbers."""
    labels_by: Literal["name", "order"]
    split_column: str
    folds: Folds
    excluded: frozenset[str]
    seconds: float
    besides: str
    """Digest of the labels and of the list of excluded molecules."""

    @property
    def rules(self) -> dict:
        """What decides the bytes of the shard."""
        rules = {
            "version": VERSION,
            "rdkit": rdBase.rdkitVersion,
            "featuriser": asdict(self.featuriser),
            "targets": self.targets,
            "factors": self.factors,
            "classes": [each.names for each in self.classes],
            "labels": [span.file.labels and read_labels(span.file.labels).digest for span in self.spans],
            "labels_by": [self.labels_by, *(span.first_row for span in self.spans)],
            "split_column": self.split_column,
            "folds": asdict(self.folds),
            "published": [span.file.split for span in self.spans],
            "seconds": self.seconds,
            "besides": self.besides,
            "spans": [[span.file.data.name, span.start.line, span.count, span.digest] for span in self.spans],
            "smiles": [span.file.smiles_column for span in self.spans],
        }
        return json.loads(json.dumps(rules))


@dataclass(frozen=True, kw_only=True)
class PackedMolecules:
    """What one shard holds."""

    records: int
    bytes: int
    rejected: tuple[Rejected, ...]
    blanked: tuple[IgnoredLabels, ...]
    """Of the molecules that are kept."""
    made: bool


def pack_molecules(packing: MoleculePacking) -> PackedMolecules:
    """Make one shard, unless it is there already and was made of the same rows by the same rules.

    Raises
    ------
    OSError
        The shard cannot be written.
    """
    kept = _kept(packing)
    if kept is not None:
        return kept
    rows = [(span, n, entry) for span in packing.spans for n, entry in enumerate(read_range(span), span.first_row)]
    rejected: list[Rejected] = []
    good: list[tuple[RecordRange, MoleculeRecord, list[float], str, list[tuple[str, UnusableLabelError]]]] = []
    for span, n, entry in rows:
        try:
            targets, split, blanks = _said(span, n, entry, packing)
        except ValueError as error:
            rejected.append(_rejected(span, entry, str(error), asked=isinstance(error, _ExcludedError)))
        else:
            good.append((span, entry, targets, split, blanks))
    reasons: list[str | None] = []
    parts = []
    for part in parse_records([entry for _, entry, *_ in good], packing.featuriser, packing.seconds):
        parts.append(part)
        reasons += part.reasons
    rejected += [
        _rejected(span, entry, reason) for (span, entry, *_), reason in zip(good, reasons, strict=True) if reason
    ]
    good = [row for row, reason in zip(good, reasons, strict=True) if reason is None]
    order = {(span.file.data.name, entry.line): n for n, (span, _, entry) in enumerate(rows)}
    rejected.sort(key=lambda each: order[each.file, each.line])
    blanked = merge_counts(
        IgnoredLabels(
            target=name,
            reason=error.reason,
            count=1,
            first=f"{span.file.data.name}, line {entry.line}: {error.text[:40]!r}",
        )
        for span, entry, *_, blanks in good
        for name, error in blanks
    )
    named = [span.file.data.name for span, *_ in good]
    files = {name: number for number, name in enumerate(dict.fromkeys(named))}
    with replacing(packing.out) as temporary:
        with h5py.File(temporary, "w") as file:
            graphs = Graphs.join([part.graphs for part in parts]) if parts else packing.featuriser.graphs([])[0]
            targets = np.array([row[2] for row in good], np.float64).reshape(len(good), len(packing.targets))
            for name, values in vars(graphs).items():
                if values is not None:
                    file[name] = values
            file["targets"] = targets
            file["crc32"] = checksums(graphs, targets)
            file["fingerprints"] = np.concatenate(
                [np.empty((0, 256), np.uint8), *(part.fingerprints for part in parts)]
            )
            file["file"] = np.array([files[name] for name in named], np.int32)
            file["line"] = np.array([row[1].line for row in good], np.int64)
            _write_texts(file, "files", list(files))
            _write_texts(file, "smiles", [each for part in parts for each in part.smiles])
            _write_texts(file, "keys", [each for part in parts for each in part.keys])
            _write_texts(file, "scaffolds", [each for part in parts for each in part.scaffolds])
            _write_texts(file, "splits", [row[3] for row in good])
            about = {
                "rules": packing.rules,
                "rejected": [asdict(each) for each in rejected],
                "blanked": [asdict(each) for each in blanked],
            }
            _write_texts(file, "about", [json.dumps(about)])
        size = temporary.stat().st_size
    return PackedMolecules(records=len(good), bytes=size, rejected=tuple(rejected), blanked=blanked, made=True)


def checksums(graphs: Graphs, targets: np.ndarray) -> np.ndarray:
    """CRC32 of each molecule's codes, bonds, positions and targets, shape (G,), uint32."""
    ends = ((graphs.atoms, graphs.atom_offsets), (graphs.bonds, graphs.bond_offsets))
    ends += ((graphs.bond_features, graphs.bond_offsets), (targets, np.arange(len(graphs) + 1)))
    if graphs.positions is not None:
        ends += ((graphs.positions, graphs.atom_offsets),)
    found = [0] * len(graphs)
    for rows, offsets in ends:
        whole = memoryview(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
        places = (offsets * rows.itemsize * rows.shape[1]).tolist()
        for n in range(len(graphs)):
            found[n] = zlib.crc32(whole[places[n] : places[n + 1]], found[n])
    return np.array(found, np.uint32)


def read_texts(file: h5py.File, name: str) -> list[str]:
    """Texts as `pack_molecules` writes them."""
    whole, ends = file[name][:].tobytes(), file[f"{name}_ends"][:].tolist()
    return [whole[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


def _write_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    """Texts one after the other, and where each ends: [bytes]."""
    encoded = [text.encode() for text in texts]
    file[name] = np.frombuffer(b"".join(encoded), np.uint8)
    file[f"{name}_ends"] = np.cumsum([len(each) for each in encoded], dtype=np.int64)


class _ExcludedError(ValueError):
    """The user asked for a molecule to be left out."""


def _said(
    span: RecordRange, n: int, entry: MoleculeRecord, packing: MoleculePacking
) -> tuple[list[float], str, list[tuple[str, UnusableLabelError]]]:
    """Targets of an entry, NaN where they are missing; what it says of its split; and why which labels are unusable."""
    if entry.problem:
        raise ValueError(entry.problem)
    listed = span.file.format == "table"
    title = entry.fields.get("mol_id") or (entry.fields.get("name") if listed else "") or entry.text
    wanted = packing.excluded or span.file.labels is not None
    names = candidate_names(title, span.file.data.name) if wanted else []
    if packing.excluded and packing.excluded.intersection([*names, entry.text, title.removeprefix("gdb_")]):
        raise _ExcludedError("left out as asked")
    fields = entry.fields
    if span.file.labels is not None:
        labels = read_labels(span.file.labels)
        row = labels.rows[n] if packing.labels_by == "order" else labels.find(names)
        if row is None:
            raise ValueError(f"no row in {span.file.labels.name} is about it")
        check_labels_agree(fields, row, packing.targets, span.file.labels.name)
        fields = {**fields, **row}
    values, blanks = [], []
    for name, factor, classes in zip(packing.targets, packing.factors, packing.classes, strict=True):
        try:
            value = parse_label(fields.get(name, ""), classes)
            values.append(value if classes.names else value * factor)
        except UnusableLabelError as error:
            values.append(math.nan)
            blanks.append((name, error))
    if blanks and all(map(math.isnan, values)):
        raise ValueError(f"{blanks[0][0]}: {blanks[0][1]}")
    if packing.split_column:
        return values, packing.folds.split(fields.get(packing.split_column, "")), blanks
    return values, span.file.split, blanks


def _rejected(span: RecordRange, entry: MoleculeRecord, reason: str, *, asked: bool = False) -> Rejected:
    return Rejected(file=span.file.data.name, line=entry.line, text=entry.text[:200], reason=reason[:300], asked=asked)


def _kept(packing: MoleculePacking) -> PackedMolecules | None:
    """What a shard made earlier holds, if it was made of the same rows by the same rules."""
    try:
        with h5py.File(packing.out, "r") as file:
            about = json.loads(read_texts(file, "about")[0])
            records = len(file["crc32"])
    except (OSError, KeyError, RuntimeError, ValueError, IndexError):
        return None
    if about["rules"] != packing.rules:
        return None
    return PackedMolecules(
        records=records,
        bytes=packing.out.stat().st_size,
        rejected=tuple(Rejected(**each) for each in about["rejected"]),
        blanked=tuple(IgnoredLabels(**each) for each in about["blanked"]),
        made=False,
    )
