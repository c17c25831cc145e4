"""Understanding molecules in a process that can be spared: some hang RDKit, some eat all memory, some crash it."""

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
from tenfold.hpc.isolated import Died, isolated
from tenfold.pipelines.molecules.atom_features import GraphBuilder
from tenfold.pipelines.molecules.bonds import perceive_bonds
from tenfold.pipelines.molecules.featuriser import Featuriser, rejection_reason
from tenfold.pipelines.molecules.fingerprints import FINGERPRINT_BYTES, morgan_fingerprint
from tenfold.pipelines.molecules.geometry import check_coordinates, molfile_dimension
from tenfold.pipelines.readers.molecule import MoleculeRecord, UnusableMoleculeError

_BLOCK = 64
_MOST_MEMORY = 8 * 2**30
_Found = TypeVar("_Found")
_LONGEST_PER_ATOM = 60
"""Characters of a SMILES with coordinates, at most, for each atom."""


@dataclass(frozen=True, kw_only=True)
class ParsedMolecules:
    """What became of some entries."""

    reasons: tuple[str | None, ...]
    """For every entry: None, or why it cannot be used. The rest is about those that can, in order."""
    graphs: Graphs
    smiles: tuple[str, ...]
    """As the file has them, or canonical where it has none."""
    keys: tuple[str, ...]
    """InChIKeys; canonical SMILES where InChI has no answer."""
    scaffolds: tuple[str, ...]
    """Bemis-Murcko scaffolds, canonical; empty for molecules without rings."""
    fingerprints: np.ndarray
    """Morgan, radius 2, 2048 bits, packed: shape (n, 256), uint8."""


def parse_records(
    entries: Sequence[MoleculeRecord], featuriser: Featuriser, seconds: float
) -> Iterator[ParsedMolecules]:
    """Read, check and featurise entries, some at a time, each bounded in time and memory.

    Where a block of entries does not end in the time that one may take, or takes the process with it, its entries are
    tried one by one, and only the guilty one is refused.

    Parameters
    ----------
    seconds
        Longest time for one molecule [s].

    Yields
    ------
    Understood
        Of consecutive entries.
    """
    work = partial(_understood, featuriser=featuriser)
    for _, found in _spared(work, record_blocks(entries, featuriser), seconds):
        yield found


def featurise_records(
    blocks: Iterable[Sequence[MoleculeRecord]], featuriser: Featuriser, seconds: float
) -> Iterator[tuple[Graphs, list[str | None]]]:
    """Read entries and make their graphs, each bounded in time and memory, as `understand` does.

    Parameters
    ----------
    blocks
        Entries that are worked on together, see `blocks_of`; a block is asked for when the one before is done.
    seconds
        Longest time for one molecule [s].

    Yields
    ------
    graphs, reasons
        Of consecutive entries: graphs of those that can be used, and for every entry None or why it cannot.
    """
    for _, found in _spared(partial(_featurised, featuriser=featuriser), blocks, seconds):
        yield found


def read_molecules(
    smiles: Sequence[str], featuriser: Featuriser, seconds: float
) -> Iterator[tuple[Chem.Mol, Graphs] | str]:
    """Read SMILES, each bounded in time and memory.

    Yields
    ------
    (molecule, graph) or str
        For every SMILES: the molecule ready for its graph and the graph, or why it cannot be used.
    """
    blocks = [(MoleculeRecord(line=n, text=each, smiles=each),) for n, each in enumerate(smiles)]
    for _, found in _spared(partial(_read, featuriser=featuriser), blocks, seconds):
        yield found


def record_blocks(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> Iterator[Sequence[MoleculeRecord]]:
    """Entries that are worked on together: some where each takes milliseconds, one where it is given coordinates."""
    size = 1 if featuriser.geometry == "embed" else _BLOCK
    for n in range(0, len(entries), size):
        yield entries[n : n + size]


def _spared(
    work: Callable[[Sequence[MoleculeRecord]], _Found], blocks: Iterable[Sequence[MoleculeRecord]], seconds: float
) -> Iterator[tuple[Sequence[MoleculeRecord], _Found]]:
    """Work on blocks in a process that can be spared; where one is lost with its process, on its entries one by one."""
    sent: deque[Sequence[MoleculeRecord]] = deque()

    def sending() -> Iterator[tuple[MoleculeRecord, ...]]:
        for block in blocks:
            sent.append(block)
            yield tuple(replace(entry, fields={}) for entry in block)

    for found in isolated(work, sending(), seconds, _MOST_MEMORY):
        block = sent.popleft()
        if not isinstance(found, Died):
            yield block, found
            continue
        alone = [(replace(entry, fields={}),) for entry in block]
        again = isolated(work, alone, seconds, _MOST_MEMORY) if len(block) > 1 else [found]
        for (entry,), one in zip(alone, again, strict=True):
            yield (entry,), work((replace(entry, problem=one.reason),)) if isinstance(one, Died) else one


def _understood(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> ParsedMolecules:
    codes = GraphBuilder(featuriser.layout, positions=featuriser.geometry != "none")
    reasons: list[str | None] = []
    smiles, keys, scaffolds, fingerprints = [], [], [], []
    with rdBase.BlockLogs():
        for entry in entries:
            try:
                mol = read_molecule(entry, featuriser)
                flat = Chem.RemoveHs(mol) if featuriser.hydrogens else mol
                about = (
                    entry.smiles.strip() or Chem.MolToSmiles(flat),
                    Chem.MolToInchiKey(flat) or Chem.MolToSmiles(flat),
                )
                scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=flat)
                bits = morgan_fingerprint(flat)
                codes.add(mol, _written(entry))
            except Exception as error:  # noqa: BLE001 (RDKit raises many kinds; a bad row never stops a run)
                reasons.append(_reason(error))
            else:
                reasons.append(None)
                smiles.append(about[0])
                keys.append(about[1])
                scaffolds.append(scaffold)
                fingerprints.append(bits)
    return ParsedMolecules(
        reasons=tuple(reasons),
        graphs=codes.graphs(),
        smiles=tuple(smiles),
        keys=tuple(keys),
        scaffolds=tuple(scaffolds),
        fingerprints=np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, FINGERPRINT_BYTES),
    )


def _featurised(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> tuple[Graphs, list[str | None]]:
    codes = GraphBuilder(featuriser.layout, positions=featuriser.geometry != "none")
    reasons: list[str | None] = []
    with rdBase.BlockLogs():
        for entry in entries:
            try:
                codes.add(read_molecule(entry, featuriser), _written(entry))
            except Exception as error:  # noqa: BLE001 (RDKit raises many kinds; a bad row never stops a run)
                reasons.append(_reason(error))
            else:
                reasons.append(None)
    return codes.graphs(), reasons


def _read(entries: Sequence[MoleculeRecord], featuriser: Featuriser) -> tuple[Chem.Mol, Graphs] | str:
    (entry,) = entries
    with rdBase.BlockLogs():
        try:
            mol = read_molecule(entry, featuriser)
            return mol, featuriser.graph(mol)
        except Exception as error:  # noqa: BLE001 (RDKit raises many kinds)
            return _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"needs more than {_MOST_MEMORY / 2**30:g} GiB of memory"
    return rejection_reason(error)


def _written(entry: MoleculeRecord) -> str:
    """The SMILES that an entry's molecule is read from; empty where it is from atoms in space."""
    return "" if entry.symbols or entry.molfile else entry.smiles


def read_molecule(entry: MoleculeRecord, featuriser: Featuriser) -> Chem.Mol:
    """Return the molecule of an entry, ready for its graph.

    Raises
    ------
    UnusableMoleculeError
        It cannot be read, or not be used.
    """
    if entry.problem:
        raise UnusableMoleculeError(entry.problem)
    given = featuriser.geometry == "given"
    if entry.symbols:
        if len(entry.symbols) > featuriser.max_atoms:
            reason = f"{len(entry.symbols):,} atoms, more than max_atoms {featuriser.max_atoms:,}"
            raise UnusableMoleculeError(reason)
        mol = perceive_bonds(entry)
        if given:
            check_coordinates(mol, "", hydrogens=featuriser.hydrogens)
        return featuriser.prepare(mol)
    if entry.molfile:
        mol = Chem.MolFromMolBlock(entry.molfile, removeHs=False)
        if mol is None:
            raise UnusableMoleculeError(_why(entry.molfile))
        if given:
            check_coordinates(mol, molfile_dimension(entry.molfile), hydrogens=featuriser.hydrogens)
        return featuriser.prepare(mol)
    if given and "|" in entry.smiles and len(entry.smiles) <= _LONGEST_PER_ATOM * featuriser.max_atoms:
        as_written = Chem.SmilesParserParams()
        as_written.removeHs = False  # RDKit would leave out hydrogens that the file places
        mol = Chem.MolFromSmiles(entry.smiles.strip(), as_written)
        if mol is not None and mol.GetNumConformers():
            check_coordinates(mol, "3D" if mol.GetConformer().Is3D() else "2D", hydrogens=featuriser.hydrogens)
            return featuriser.prepare(mol)
    return featuriser.read_smiles(entry.smiles)


def _why(molfile: str) -> str:
    """What RDKit has against a Molfile."""
    mol = Chem.MolFromMolBlock(molfile, sanitize=False)
    if mol is None and re.search(r"[\s-](nan|inf)\s", molfile, re.IGNORECASE):
        return "a coordinate is no finite number"
    if mol is None:
        return "not a Molfile"
    problems = Chem.DetectChemistryProblems(mol)
    return problems[0].Message() if problems else "RDKit cannot read it"
