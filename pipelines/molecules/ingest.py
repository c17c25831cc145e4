"""Ingest of molecules: tables and structures are parsed, featurised, packed into shards and split without leakage."""

import csv
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rdkit import rdBase

from tenfold.hpc.scheduler import check_reachable
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import TEMPORARY
from tenfold.pipelines.molecules.cells import IgnoredLabels, merge_counts
from tenfold.pipelines.molecules.classes import Classes, ambiguous_missing_values, parse_number
from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.index import INDEX, MoleculeIndex, index_molecules
from tenfold.pipelines.molecules.manifest import Leakage, MoleculeManifest, Target
from tenfold.pipelines.molecules.packing import MoleculeShardTask, PackedMolecules, RejectedMolecule, pack_molecules
from tenfold.pipelines.molecules.plan import Plan, plan
from tenfold.pipelines.molecules.sources import find_molecule_sources
from tenfold.pipelines.molecules.units import conversion_factor
from tenfold.pipelines.storage.manifest import MANIFEST, ShardEntry
from tenfold.pipelines.storage.rejected import REJECTED, check_rejected, write_rejected
from tenfold.pipelines.storage.shard_folder import ShardFolder

log = logging.getLogger("tenfold")

__all__ = ["MoleculeIngest", "MoleculeIngestSummary", "ingest_molecules"]

MOLECULES_PER_PROCESS = 4096
"""A Dask worker takes about as long to start as to featurise this many molecules."""


@dataclass(frozen=True, kw_only=True)
class MoleculeIngestSummary:
    """Result of an ingest of molecules."""

    out: Path
    molecules: int
    sizes: dict[str, int]
    """Number of molecules by split."""
    duplicates: int
    """Number of molecules that occur more than once; all copies are in one split."""
    rejected: int
    reasons: dict[str, int]
    """The commonest reasons for rejection, with their counts."""
    leakage: Leakage | None
    targets: tuple[Target, ...]
    notes: tuple[str, ...]
    """Choices made for the user, such as which split was taken."""
    blanked: tuple[IgnoredLabels, ...]
    """Cells of targets without a usable label."""
    doubts: tuple[str, ...]
    """Warnings about labels that may be in another unit, or classes."""
    bytes: int
    """Size of all shards."""
    new_shards: int
    """Number of shards written in this run; the others existed already."""

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {split}" for split, count in self.sizes.items())
        size = f"{self.bytes / 1e6:.1f} MB, {self.new_shards} new shards"
        lines = [f"{self.out}: {self.molecules:,} molecules ({counts}), {size}."]
        lines += map(str, (*self.targets, *self.notes, *self.blanked))
        if self.duplicates:
            lines.append(f"{self.duplicates:,} molecules occur more than once; all copies are in one split.")
        if self.leakage:
            similarity = f"median {self.leakage.median:.2f}, {100 * self.leakage.above_0_9:.1f} % above 0.9"
            lines.append(f"Similarity of test molecules to the nearest training molecule: {similarity}.")
        if self.rejected:
            reasons = "; ".join(f"{count:,} × {reason}" for reason, count in self.reasons.items())
            lines.append(f"{self.rejected:,} rows rejected, see {self.out / REJECTED}: {reasons}.")
        return "\n".join([*lines, *self.doubts])


def ingest_molecules(paths: Iterable[Path | str], out: Path | str, config: MoleculeIngest) -> MoleculeIngestSummary:
    r"""Pack molecules into shards.

    Rows are read once to count them, then parsed and featurised under Dask, one shard per task, each molecule in a
    subprocess that may crash. Molecules that cannot be used are listed in ``OUT/rejected.csv`` with file, line, text
    and reason. Shards that exist and are complete are kept: after an interruption only the missing ones are made.

    Parameters
    ----------
    paths
        Tables with SMILES, SD files, XYZ files; folders and tar archives of these; compressed or not.
    out, config
        Folder of the shards, and configuration of the ingest.

    Raises
    ------
    InputError
        There are no files or no such columns, too many rows are rejected, or ``out`` cannot be written or holds
        something else. Files that tenfold did not make are neither overwritten nor removed.

    Example
    -------
    >>> from pathlib import Path
    >>> from tenfold.pipelines import MoleculeIngest, ingest_molecules
    >>> rows = [f"{'C' * n}O,{0.5 - 0.6 * n}" for n in range(1, 41)]  # alcohols and a linear model of their solubility
    >>> _ = Path("alcohols.csv").write_text("\n".join(["smiles,solubility", *rows]))
    >>> config = MoleculeIngest(targets=("solubility",), fractions=(0.6, 0.2, 0.2), processes=1)
    >>> ingest_molecules(["alcohols.csv"], "molecules", config).molecules
    40
    """
    sources = find_molecule_sources(paths, config)
    out, recorded = config.engine.path(Path(out)), config.recorded()
    folder = ShardFolder(out, MoleculeManifest, others=(INDEX,))
    complete = folder.is_complete(recorded, {source.name: (source.bytes, source.mtime_ns) for source in sources})
    if complete and folder.manifest is not None and _is_indexed(out, folder.manifest):
        return _summary(out, folder.manifest, _read_rejected(out), 0)
    check_reachable(config.engine)
    try:
        planned = plan(sources, out, config)
        tasks = _tasks(planned, out, config)
        worthwhile = 1 + sum(span.count for task in tasks for span in task.spans) // MOLECULES_PER_PROCESS
        inputs = [span.file.data.path for task in tasks for span in task.spans]
        engine = config.engine.at_most(worthwhile)
        shards = folder.pack(pack_molecules, tasks, engine, title="Featurising", inputs=inputs)
    finally:
        for unpacked in out.glob(f".unpacked_[0-9]*{TEMPORARY}"):
            unpacked.unlink()
    rejected = [row for shard in shards for row in shard.rejected]
    _check_threshold(rejected, planned.rows, out, config)
    if sum(shard.records for shard in shards) + len(rejected) != planned.rows:
        raise InputError(f"{out}: the files changed while they were read. Run again.")
    index = index_molecules([task.out for task in tasks], out, config, planned.split)
    rejected += index.rejected
    path = _list_rejected(out, rejected)
    if rejected:
        log.warning("%d molecules were rejected; the reasons are in %s", len(rejected), path)
    manifest = _manifest(planned, tasks, shards, index, len(rejected), recorded, config)
    for warning in manifest.doubts:
        log.warning("%s", warning)
    manifest.write(out / MANIFEST)
    return _summary(out, manifest, rejected, sum(shard.made for shard in shards))


def _tasks(planned: Plan, out: Path, config: MoleculeIngest) -> list[MoleculeShardTask]:
    factors = tuple(
        conversion_factor(planned.units[name], config.units.get(name, planned.units[name]), name)
        if name in planned.units
        else 1.0
        for name in config.targets
    )
    classes = planned.classes(config)
    tables = hashlib.sha256()
    excluded: set[str] = set()
    for path in (config.labels, config.exclude):
        tables.update(Path(path).read_bytes() if path else b"")
    if config.exclude:
        lines = Path(config.exclude).read_text(encoding="utf-8", errors="replace").splitlines()
        excluded = {line.split()[0] for line in lines if line.split()}
    return [
        MoleculeShardTask(
            out=out / f"molecules_{number:05d}.h5",
            spans=spans,
            featuriser=config.featuriser,
            targets=config.targets,
            factors=factors,
            classes=classes,
            labels_by=config.labels_by,
            split_column=planned.split_column,
            folds=config.folds,
            excluded=frozenset(excluded),
            seconds=config.seconds_per_molecule,
            tables=tables.hexdigest(),
        )
        for number, spans in enumerate(planned.chunks)
    ]


def _check_threshold(rejected: Sequence[RejectedMolecule], rows: int, out: Path, config: MoleculeIngest) -> None:
    """Stop the ingest where too many rows are rejected; those that the user excluded count only if they are all."""
    unwanted = [row for row in rejected if not row.excluded]
    if rejected:
        first = f"{rejected[0].file}, line {rejected[0].line}: {rejected[0].reason}"
        count = rows if len(rejected) == rows else len(unwanted)
        check_rejected(
            count, rows, config.rejected_threshold, noun="molecules", first=first,
            write=lambda: _list_rejected(out, rejected),
        )  # fmt: skip


def _list_rejected(out: Path, rejected: Sequence[RejectedMolecule]) -> Path:
    """Write ``rejected.csv``: file, line, text, reason."""
    rows = [(row.file, row.line, row.text, row.reason) for row in rejected]
    return write_rejected(out, ("file", "line", "text", "reason"), rows)


def _read_rejected(out: Path) -> list[RejectedMolecule]:
    with (out / REJECTED).open(newline="", encoding="utf-8") as file:
        return [RejectedMolecule(**{**row, "line": int(row["line"])}) for row in csv.DictReader(file)]


def _manifest(
    planned: Plan,
    tasks: Sequence[MoleculeShardTask],
    shards: Sequence[PackedMolecules],
    index: MoleculeIndex,
    rejected: int,
    recorded: dict,
    config: MoleculeIngest,
) -> MoleculeManifest:
    classes = planned.classes(config)
    targets = index.targets(config, planned.units, classes)
    missing = [
        warning for name, own in zip(config.targets, classes, strict=True) if (warning := _missing(name, own, planned))
    ]
    return MoleculeManifest(
        featuriser=config.featuriser,
        targets=targets,
        sizes=index.sizes,
        doubts=(*index.label_warnings(targets, config.kinds, config.properties), *missing),
        notes=(*planned.notes, *index.notes),
        blanked=merge_counts(cells for shard in shards for cells in shard.ignored_labels),
        atoms=int(index.atoms.sum()),
        bonds=index.bonds,
        largest=int(index.atoms.max()),
        duplicates=index.duplicates,
        leakage=index.leakage,
        sources=planned.sources,
        shards=tuple(
            ShardEntry(file=task.out.name, records=shard.records, bytes=shard.bytes)
            for task, shard in zip(tasks, shards, strict=True)
        ),
        index_sha256=index.sha256,
        rejected=rejected,
        content=index.content,
        ingest=recorded,
        rdkit=rdBase.rdkitVersion,
        tenfold=version("tenfold"),
    )


def _missing(name: str, classes: Classes, planned: Plan) -> str:
    """Return a warning where words that may be a class, such as none, count as missing labels."""
    words = ambiguous_missing_values(planned.cells[name])
    if not words or all(parse_number(name) is not None for name in classes.names):
        return ""
    shown = ", ".join(f"{word!r} ({count:,})" for word, count in sorted(words.items()))
    return f"{name}: {shown} count as missing labels. If that is a class, give it another name in the file."


def _is_indexed(out: Path, manifest: MoleculeManifest) -> bool:
    """Whether the index and the list of rejected molecules of an earlier ingest are complete."""
    index = out / INDEX
    if not (index.exists() and (out / REJECTED).exists()):
        return False
    return hashlib.sha256(index.read_bytes()).hexdigest() == manifest.index_sha256


def _generic(rejected: RejectedMolecule) -> str:
    """Return a reason without the parts that differ from row to row."""
    return re.sub(r"'.*?' (?=is )", "a cell ", re.sub(r"atom # \d+", "atom", rejected.reason))


def _summary(
    out: Path, manifest: MoleculeManifest, rejected: Sequence[RejectedMolecule], new_shards: int
) -> MoleculeIngestSummary:
    return MoleculeIngestSummary(
        out=out,
        molecules=sum(manifest.sizes.values()),
        sizes=manifest.sizes,
        duplicates=manifest.duplicates,
        rejected=len(rejected),
        reasons=dict(Counter(map(_generic, rejected)).most_common(5)),
        leakage=manifest.leakage,
        targets=manifest.targets,
        notes=manifest.notes,
        blanked=manifest.blanked,
        doubts=manifest.doubts,
        bytes=sum(shard.bytes for shard in manifest.shards),
        new_shards=new_shards,
    )
