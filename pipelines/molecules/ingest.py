"""Molecules of many files into shards that training reads: read, understood, featurised, split without leaks."""

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

from tenfold.hpc.cluster import WorkerDiedError, completed
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import TEMPORARY, replacing
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.molecules.cells import IgnoredLabels, merge_counts
from tenfold.pipelines.molecules.classes import Classes, ambiguous_missing_values, parse_number
from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.index import INDEX, MoleculeIndex, index_molecules
from tenfold.pipelines.molecules.manifest import MANIFEST, Leakage, MoleculeManifest, Target
from tenfold.pipelines.molecules.packing import MoleculePacking, PackedMolecules, Rejected, pack_molecules
from tenfold.pipelines.molecules.plan import Plan, plan
from tenfold.pipelines.molecules.sources import REJECTED, MoleculeSource, find_molecule_sources
from tenfold.pipelines.molecules.units import conversion_factor
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.storage.shard_files import ShardEntry, unchanged

log = logging.getLogger("tenfold")

__all__ = ["MoleculeIngest", "MoleculeIngestSummary", "ingest_molecules"]

BESIDE_SHARDS = (MANIFEST, INDEX, REJECTED)
"""Files of the folder that are no shards."""
WORTH_A_PROCESS = 4096
"""A Dask worker takes about as long to start as to featurise so many molecules."""


@dataclass(frozen=True, kw_only=True)
class MoleculeIngestSummary:
    """What an ingest did."""

    out: Path
    molecules: int
    sizes: dict[str, int]
    """Molecules by split."""
    duplicates: int
    """Molecules that are there more than once, kept on one side of the split."""
    rejected: int
    reasons: dict[str, int]
    """The commonest reasons for rejection, and how often."""
    leakage: Leakage | None
    targets: tuple[Target, ...]
    notes: tuple[str, ...]
    """What was decided for the user, such as which split was taken."""
    blanked: tuple[IgnoredLabels, ...]
    """Cells of targets that hold no usable label."""
    doubts: tuple[str, ...]
    """About labels that may not be what they are taken for: numbers in another unit, or classes."""
    bytes: int
    made: int
    """Shards written in this run; the others were there already."""

    def __str__(self) -> str:
        shares = ", ".join(f"{count:,} {split}" for split, count in self.sizes.items())
        said = [
            f"{self.out}: {self.molecules:,} molecules ({shares}), {self.bytes / 1e6:.1f} MB, {self.made} shards new."
        ]
        said += map(str, (*self.targets, *self.notes, *self.blanked))
        if self.duplicates:
            said.append(f"{self.duplicates:,} are there more than once, and stand on one side of the split.")
        if self.leakage:
            near = f"median similarity {self.leakage.median:.2f}, {100 * self.leakage.above_0_9:.1f} % above 0.9"
            said.append(f"Test molecules and their nearest training molecules: {near}.")
        if self.rejected:
            reasons = "; ".join(f"{count:,} × {reason}" for reason, count in self.reasons.items())
            said.append(f"{self.rejected:,} rows rejected, see {self.out / 'rejected.csv'}: {reasons}.")
        return "\n".join([*said, *self.doubts])


def ingest_molecules(paths: Iterable[Path | str], out: Path | str, config: MoleculeIngest) -> MoleculeIngestSummary:
    r"""Make shards of molecules.

    Rows are read once to count them, then understood and featurised under Dask, one shard per task, each molecule in a
    process that can be spared. What cannot be used goes to ``OUT/rejected.csv`` with file, line, text and reason. What
    is whole is not made again: after a kill, only what is missing; with nothing changed, nothing.

    Parameters
    ----------
    paths
        Tables with SMILES, SD files, XYZ files; folders and tar archives of these; compressed or not.
    out
        Folder of the shards.

    Raises
    ------
    InputError
        There are no files or no such columns, too many rows are bad, `out` cannot be written or holds something else.
        What tenfold did not make there is neither overwritten nor removed.

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
    out, recorded = Path(out), config.recorded()
    made = MoleculeManifest.read(out / MANIFEST) if (out / MANIFEST).exists() else None
    known = () if made is None else (*BESIDE_SHARDS, *(shard.file for shard in made.shards))
    folder = OutputFolder.claim(out, BESIDE_SHARDS, alone=True, known=known)
    done = None if made is None else _unchanged(out, made, sources, recorded)
    if done is not None:
        return done
    try:
        planned = plan(sources, out, config)
        packings = _packings(planned, out, config)
        folder = folder.add(packing.out.name for packing in packings)
        (out / MANIFEST).unlink(missing_ok=True)
        packed = _pack(packings, config)
    finally:
        for spooled in out.glob(f".unpacked_[0-9]*{TEMPORARY}"):
            spooled.unlink()
    folder.keep((*BESIDE_SHARDS, *(packing.out.name for packing in packings)))
    rejected = [each for shard in packed for each in shard.rejected]
    _judge(rejected, planned.rows, out, config)
    if sum(shard.records for shard in packed) + len(rejected) != planned.rows:
        raise InputError(f"{out}: the files were changed while they were read. Run again.")
    index = index_molecules([packing.out for packing in packings], out, config, planned.split)
    rejected += index.rejected
    listed = _write_rejected(out, rejected)
    if rejected:
        log.warning("%d molecules were rejected; %s says why", len(rejected), listed)
    manifest = _manifest(planned, packings, packed, index, len(rejected), recorded, config)
    for each in manifest.doubts:
        log.warning("%s", each)
    manifest.write(out / MANIFEST)
    return _summary(out, manifest, rejected, sum(shard.made for shard in packed))


def _packings(planned: Plan, out: Path, config: MoleculeIngest) -> list[MoleculePacking]:
    factors = tuple(
        conversion_factor(planned.units[name], config.units.get(name, planned.units[name]), name)
        if name in planned.units
        else 1.0
        for name in config.targets
    )
    classes = planned.classes(config)
    besides = hashlib.sha256()
    excluded: set[str] = set()
    for path in (config.labels, config.exclude):
        besides.update(Path(path).read_bytes() if path else b"")
    if config.exclude:
        lines = Path(config.exclude).read_text(encoding="utf-8", errors="replace").splitlines()
        excluded = {line.split()[0] for line in lines if line.split()}
    return [
        MoleculePacking(
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
            besides=besides.hexdigest(),
        )
        for number, spans in enumerate(planned.chunks)
    ]


def _pack(packings: Sequence[MoleculePacking], config: MoleculeIngest) -> list[PackedMolecules]:
    packed: dict[int, PackedMolecules] = {}
    rows = sum(span.count for packing in packings for span in packing.spans)
    try:
        with progress("Featurising", total=len(packings), unit="shard") as advance:
            for number, each in completed(pack_molecules, packings, min(config.processes, 1 + rows // WORTH_A_PROCESS)):
                packed[number] = each
                advance(1)
    except WorkerDiedError as error:
        span = packings[error.position].spans[0]
        where = f"{span.file.data.name}, from line {span.start.line} on"
        raise InputError(f"{where}: {error}. Is there memory enough? Lower records_per_shard or processes.") from error
    except OSError as error:
        raise InputError(f"a shard could not be written ({error}). Make room, then run again.") from error
    return [packed[number] for number in range(len(packings))]


def _judge(rejected: Sequence[Rejected], rows: int, out: Path, config: MoleculeIngest) -> None:
    """End the run where too many rows are bad."""
    bad = [each for each in rejected if not each.asked]
    if len(rejected) == rows or len(bad) > config.rejected_threshold * rows:
        listed = _write_rejected(out, rejected)
        first = f"{rejected[0].file}, line {rejected[0].line}: {rejected[0].reason}"
        raise InputError(
            f"{len(rejected)} of {rows} molecules cannot be used, more than rejected_threshold "
            f"{config.rejected_threshold:g} allows. The first: {first}. All are listed in {listed}."
        )


def _write_rejected(out: Path, rejected: Sequence[Rejected]) -> Path:
    """Write ``rejected.csv``: file, line, text, reason."""
    listed = out / REJECTED
    with replacing(listed) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        lines = csv.writer(opened)
        lines.writerow(["file", "line", "text", "reason"])
        lines.writerows([as_text(each.file), each.line, as_text(each.text), as_text(each.reason)] for each in rejected)
    return listed


def _manifest(
    planned: Plan,
    packings: Sequence[MoleculePacking],
    packed: Sequence[PackedMolecules],
    index: MoleculeIndex,
    rejected: int,
    recorded: dict,
    config: MoleculeIngest,
) -> MoleculeManifest:
    classes = planned.classes(config)
    targets = index.targets(config, planned.units, classes)
    missing = [
        said for name, own in zip(config.targets, classes, strict=True) if (said := _missing(name, own, planned))
    ]
    return MoleculeManifest(
        featuriser=config.featuriser,
        targets=targets,
        sizes=index.sizes,
        doubts=(*index.label_warnings(targets, config.kinds, config.properties), *missing),
        notes=(*planned.notes, *index.notes),
        blanked=merge_counts(each for shard in packed for each in shard.blanked),
        atoms=int(index.atoms.sum()),
        bonds=index.bonds,
        largest=int(index.atoms.max()),
        duplicates=index.duplicates,
        leakage=index.leakage,
        sources=planned.sources,
        shards=tuple(
            ShardEntry(file=packing.out.name, records=each.records, bytes=each.bytes)
            for packing, each in zip(packings, packed, strict=True)
        ),
        index_sha256=index.sha256,
        rejected=rejected,
        content=index.content,
        ingest=recorded,
        rdkit=rdBase.rdkitVersion,
        tenfold=version("tenfold"),
    )


def _missing(name: str, classes: Classes, planned: Plan) -> str:
    """Say so where words that may be a class, such as none, count as missing labels."""
    words = ambiguous_missing_values(planned.cells[name])
    if not words or all(parse_number(each) is not None for each in classes.names):
        return ""
    shown = ", ".join(f"{word!r} ({count:,})" for word, count in sorted(words.items()))
    return f"{name}: {shown} count as missing labels. If that is a class, give it another name in the file."


def _unchanged(
    out: Path, manifest: MoleculeManifest, sources: Sequence[MoleculeSource], recorded: dict
) -> MoleculeIngestSummary | None:
    """What is there already, if it is all that is wanted; an error, if it is something else."""
    known = {each.source: (each.bytes, each.mtime_ns) for each in manifest.sources}
    now = {each.name: (each.bytes, each.mtime_ns) for each in sources}
    index = out / INDEX
    whole = unchanged(out, manifest.ingest, recorded, known, now, manifest.shards, "molecules") and index.exists()
    if not whole or not (out / REJECTED).exists():
        return None
    if hashlib.sha256(index.read_bytes()).hexdigest() != manifest.index_sha256:
        return None
    with (out / REJECTED).open(newline="", encoding="utf-8") as opened:
        rejected = [Rejected(**{**row, "line": int(row["line"])}) for row in csv.DictReader(opened)]
    return _summary(out, manifest, rejected, 0)


def _alike(rejected: Rejected) -> str:
    """A reason without what is different in each row."""
    return re.sub(r"'.*?' (?=is )", "a cell ", re.sub(r"atom # \d+", "atom", rejected.reason))


def _summary(out: Path, manifest: MoleculeManifest, rejected: Sequence[Rejected], made: int) -> MoleculeIngestSummary:
    return MoleculeIngestSummary(
        out=out,
        molecules=sum(manifest.sizes.values()),
        sizes=manifest.sizes,
        duplicates=manifest.duplicates,
        rejected=len(rejected),
        reasons=dict(Counter(map(_alike, rejected)).most_common(5)),
        leakage=manifest.leakage,
        targets=manifest.targets,
        notes=manifest.notes,
        blanked=manifest.blanked,
        doubts=manifest.doubts,
        bytes=sum(shard.bytes for shard in manifest.shards),
        made=made,
    )
