"""Parsing and featurisation of records in isolated processes: some molecules hang or crash RDKit or exhaust memory."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from tenfold.emulators.graphs import Graphs
from tenfold.hpc.isolated import ProcessDied, run_isolated
from tenfold.pipelines.molecules.atom_features import GraphBuilder
from tenfold.pipelines.molecules.bonds import perceive_bonds
from tenfold.pipelines.molecules.featuriser import Featuriser, rejection_reason
from tenfold.pipelines.molecules.fingerprints import FINGERPRINT_BYTES, morgan_fingerprint
from tenfold.pipelines.molecules.geometry import check_coordinates, molfile_dimension
from tenfold.pipelines.readers.molecule import MoleculeRecord, UnusableMoleculeError

_BLOCK_SIZE = 64
"""Number of records that are processed together."""
_MAX_MEMORY = 8 * 2**30
"""Memory limit of a worker process [bytes]."""
_Result = TypeVar("_Result")
_MAX_CHARACTERS_PER_ATOM = 60
"""Largest number of characters per atom of a SMILES with coordinates."""


@dataclass(frozen=True, kw_only=True)
class ParsedMolecules:
    """Result of parsing a sequence of records."""

    reasons: tuple[str | None, ...]
    """For every record: None, or the reason for its rejection. The other fields hold the accepted records, in order."""
    graphs: Graphs
    """Molecular graphs."""
    smiles: tuple[str, ...]
    """SMILES as in the file; canonical if the file has none."""
    keys: tuple[str, ...]
    """InChIKeys; canonical SMILES if InChI fails."""
    scaffolds: tuple[str, ...]
    """Bemis-Murcko scaffolds, canonical; empty for molecules without rings."""
    fingerprints: np.ndarray
    """Packed Morgan fingerprints, radius 2, 2048 bits, shape (n, 256), uint8."""


def parse_records(
    entries: Sequence[MoleculeRecord], featuriser: Featuriser, seconds: float
) -> Iterator[ParsedMolecules]:
    """Parse, check and featurise records in blocks, with limits on time and memory per molecule.

    If a block exceeds the time limit of one molecule, or crashes its process, its records are processed one by one, and
    only the offending one is rejected.

    Parameters
    ----------
    entries
        Records to parse.
    featuriser
        Settings of the graphs.
    seconds
        Time limit per molecule [s].

    Yields
    ------
    ParsedMolecules
        Results of consecutive blocks.
    """
    work = partial(_parse_block, featuriser=featuriser)
    for _, result in _isolate(work, record_blocks(entries, featuriser), seconds):
        yield result


def featurise_records(
    blocks: Iterable[Sequence[MoleculeRecord]], featuriser: Featuriser, seconds: float
) -> Iterator[tuple[Graphs, list[str | None]]]:
    """Parse records into graphs only, with limits on time and memory as in `parse_records`.

    Parameters
    ----------
    blocks
        Blocks of records, see `record_blocks`. Each is requested when the one before is done.
    featuriser, seconds
        As for `parse_records`.

    Yields
    ------
    graphs, reasons
        Results of consecutive blocks: graphs of the accepted records, and for every record None or the reason for its
        rejection.
    """
    for _, result in _isolate(partial(_featurise_block, featuriser=featuriser), blocks, seconds):
        yield result


def read_molecules(
    smiles: Sequence[str], featuriser: Featuriser, seconds: float
) -> Iterator[tuple[Chem.Mol, Graphs] | str]:
    """Read SMILES, with limits on time and memory per molecule.

    Yields
    ------
    (molecule, graph) or str
        For every SMILES: the prepared molecule and its graph, or the reason for its rejection.
    """
    blocks = [(MoleculeRecord(line=n, text=text, smiles=text),) for n, text in enumerate(smiles)]
    for _, result in _isolate(partial(_read_one, featuriser=featuriser), blocks, seconds):
        yield result


def record_blocks(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> Iterator[Sequence[MoleculeRecord]]:
    """Divide records into blocks; a block is a single record if conformers are embedded, which takes long."""
    size = 1 if featuriser.geometry == "embed" else _BLOCK_SIZE
    for n in range(0, len(entries), size):
        yield entries[n : n + size]


def _isolate(
    work: Callable[[Sequence[MoleculeRecord]], _Result], blocks: Iterable[Sequence[MoleculeRecord]], seconds: float
) -> Iterator[tuple[Sequence[MoleculeRecord], _Result]]:
    """Process blocks in an isolated process; if it dies or times out, process the records of the block one by one."""
    sent: deque[Sequence[MoleculeRecord]] = deque()

    def without_fields() -> Iterator[tuple[MoleculeRecord, ...]]:
        for block in blocks:
            sent.append(block)
            yield tuple(replace(entry, fields={}) for entry in block)

    for result in run_isolated(work, without_fields(), seconds, _MAX_MEMORY):
        block = sent.popleft()
        if not isinstance(result, ProcessDied):
            yield block, result
            continue
        single = [(replace(entry, fields={}),) for entry in block]
        results = run_isolated(work, single, seconds, _MAX_MEMORY) if len(block) > 1 else [result]
        for (entry,), own in zip(single, results, strict=True):
            yield (entry,), work((replace(entry, problem=own.reason),)) if isinstance(own, ProcessDied) else own


def _parse_block(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> ParsedMolecules:
    builder = GraphBuilder(featuriser.layout, positions=featuriser.geometry != "none")
    reasons: list[str | None] = []
    smiles, keys, scaffolds, fingerprints = [], [], [], []
    with rdBase.BlockLogs():
        for entry in entries:
            try:
                mol = read_molecule(entry, featuriser)
                heavy = Chem.RemoveHs(mol) if featuriser.hydrogens else mol
                text = entry.smiles.strip() or Chem.MolToSmiles(heavy)
                key = Chem.MolToInchiKey(heavy) or Chem.MolToSmiles(heavy)
                scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=heavy)
                bits = morgan_fingerprint(heavy)
                builder.add(mol, _source_smiles(entry))
            except Exception as error:  # noqa: BLE001 (RDKit raises many types; one molecule must not stop a run)
                reasons.append(_reason(error))
            else:
                reasons.append(None)
                smiles.append(text)
                keys.append(key)
                scaffolds.append(scaffold)
                fingerprints.append(bits)
    return ParsedMolecules(
        reasons=tuple(reasons),
        graphs=builder.graphs(),
        smiles=tuple(smiles),
        keys=tuple(keys),
        scaffolds=tuple(scaffolds),
        fingerprints=np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, FINGERPRINT_BYTES),
    )


def _featurise_block(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> tuple[Graphs, list[str | None]]:
    builder = GraphBuilder(featuriser.layout, positions=featuriser.geometry != "none")
    reasons: list[str | None] = []
    with rdBase.BlockLogs():
        for entry in entries:
            try:
                builder.add(read_molecule(entry, featuriser), _source_smiles(entry))
            except Exception as error:  # noqa: BLE001 (RDKit raises many types; one molecule must not stop a run)
                reasons.append(_reason(error))
            else:
                reasons.append(None)
    return builder.graphs(), reasons


def _read_one(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> tuple[Chem.Mol, Graphs] | str:
    (entry,) = entries
    with rdBase.BlockLogs():
        try:
            mol = read_molecule(entry, featuriser)
            return mol, featuriser.graph(mol)
        except Exception as error:  # noqa: BLE001 (RDKit raises many types)
            return _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"needs more than {_MAX_MEMORY / 2**30:g} GiB of memory"
    return rejection_reason(error)


def _source_smiles(entry: MoleculeRecord) -> str:
    """SMILES from which the molecule of a record is read; empty if it is read from atoms and positions."""
    return "" if entry.symbols or entry.molfile else entry.smiles


def read_molecule(entry: MoleculeRecord, featuriser: Featuriser) -> Chem.Mol:
    """Return the prepared molecule of a record.

    Raises
    ------
    UnusableMoleculeError
        The record cannot be read, or its molecule cannot be used.
    """
    if entry.problem:
        raise UnusableMoleculeError(entry.problem)
    needs_coordinates = featuriser.geometry == "given"
    if entry.symbols:
        if len(entry.symbols) > featuriser.max_atoms:
            reason = f"{len(entry.symbols):,} atoms, more than max_atoms {featuriser.max_atoms:,}"
            raise UnusableMoleculeError(reason)
        mol = perceive_bonds(entry)
        if needs_coordinates:
            check_coordinates(mol, "", hydrogens=featuriser.hydrogens)
        return featuriser.prepare(mol)
    if entry.molfile:
        mol = Chem.MolFromMolBlock(entry.molfile, removeHs=False)
        if mol is None:
            raise UnusableMoleculeError(_diagnose(entry.molfile))
        if needs_coordinates:
            check_coordinates(mol, molfile_dimension(entry.molfile), hydrogens=featuriser.hydrogens)
        return featuriser.prepare(mol)
    if (
        needs_coordinates
        and "|" in entry.smiles
        and len(entry.smiles) <= _MAX_CHARACTERS_PER_ATOM * featuriser.max_atoms
    ):
        as_written = Chem.SmilesParserParams()
        as_written.removeHs = False  # keeps the hydrogens to which the file assigns positions
        mol = Chem.MolFromSmiles(entry.smiles.strip(), as_written)
        if mol is not None and mol.GetNumConformers():
            check_coordinates(mol, "3D" if mol.GetConformer().Is3D() else "2D", hydrogens=featuriser.hydrogens)
            return featuriser.prepare(mol)
    return featuriser.read_smiles(entry.smiles)


def _diagnose(molfile: str) -> str:
    """Reason why RDKit rejects a Molfile."""
    mol = Chem.MolFromMolBlock(molfile, sanitize=False)
    if mol is None and re.search(r"[\s-](nan|inf)\s", molfile, re.IGNORECASE):
        return "a coordinate is not finite"
    if mol is None:
        return "not a Molfile"
    problems = Chem.DetectChemistryProblems(mol)
    return problems[0].Message() if problems else "RDKit cannot read it"
