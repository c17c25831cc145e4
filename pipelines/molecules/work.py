"""Understanding molecules in a process that can be spared: some hang RDKit, some eat all memory, some crash it."""

import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from tenfold.emulators.graphs import Graphs
from tenfold.hpc.isolated import Died, isolated
from tenfold.pipelines.molecules.atom_codes import Codes
from tenfold.pipelines.molecules.bonds import bonded
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.fingerprints import BYTES, fingerprint
from tenfold.pipelines.readers.molecule import Entry, UnusableMoleculeError

_BLOCK = 64
_MOST_MEMORY = 8 * 2**30


@dataclass(frozen=True, kw_only=True)
class Understood:
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


def understand(entries: Sequence[Entry], featuriser: Featuriser, seconds: float) -> Iterator[Understood]:
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
    size = 1 if featuriser.geometry == "embed" else _BLOCK
    blocks = [tuple(replace(each, fields={}) for each in entries[n : n + size]) for n in range(0, len(entries), size)]
    for block, found in zip(blocks, isolated(work, blocks, seconds), strict=True):
        if not isinstance(found, Died):
            yield found
            continue
        alone = [(entry,) for entry in block]
        for (entry,), one in zip(alone, isolated(work, alone, seconds) if size > 1 else [found], strict=True):
            yield _understood((replace(entry, problem=one.reason),), featuriser) if isinstance(one, Died) else one


def _understood(entries: Sequence[Entry], featuriser: Featuriser) -> Understood:
    codes = Codes(featuriser.layout, positions=featuriser.geometry != "none")
    reasons: list[str | None] = []
    smiles, keys, scaffolds, fingerprints = [], [], [], []
    limit = resource.getrlimit(resource.RLIMIT_AS)
    if limit[0] == resource.RLIM_INFINITY:  # what is asked for beyond ends the molecule, not the machine
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, limit[1]))
    with rdBase.BlockLogs():
        for entry in entries:
            try:
                mol = molecule(entry, featuriser)
                flat = Chem.RemoveHs(mol) if featuriser.hydrogens else mol
                about = (
                    entry.smiles.strip() or Chem.MolToSmiles(flat),
                    Chem.MolToInchiKey(flat) or Chem.MolToSmiles(flat),
                )
                scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=flat)
                bits = fingerprint(flat)
                codes.add(mol, entry.smiles if not entry.symbols and not entry.molfile else "")
            except UnusableMoleculeError as error:
                reasons.append(error.reason)
            except MemoryError:
                reasons.append(f"needs more than {_MOST_MEMORY / 2**30:g} GiB of memory")
            except Exception as error:  # noqa: BLE001 (RDKit raises many kinds; a bad row never stops a run)
                reasons.append(f"RDKit cannot use it ({str(error).strip().splitlines()[0] if str(error) else error!r})")
            else:
                reasons.append(None)
                smiles.append(about[0])
                keys.append(about[1])
                scaffolds.append(scaffold)
                fingerprints.append(bits)
    return Understood(
        reasons=tuple(reasons),
        graphs=codes.graphs(),
        smiles=tuple(smiles),
        keys=tuple(keys),
        scaffolds=tuple(scaffolds),
        fingerprints=np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, BYTES),
    )


def molecule(entry: Entry, featuriser: Featuriser) -> Chem.Mol:
    """Return the molecule of an entry, ready for its graph.

    Raises
    ------
    UnusableMoleculeError
        It cannot be read, or not be used.
    """
    if entry.problem:
        raise UnusableMoleculeError(entry.problem)
    if entry.symbols:
        if len(entry.symbols) > featuriser.largest_atoms:
            reason = f"{len(entry.symbols):,} atoms, more than largest_atoms {featuriser.largest_atoms:,}"
            raise UnusableMoleculeError(reason)
        return featuriser.prepared(bonded(entry))
    if entry.molfile:
        mol = Chem.MolFromMolBlock(entry.molfile, removeHs=False)
        if mol is None:
            raise UnusableMoleculeError(_why(entry.molfile))
        return featuriser.prepared(mol)
    return featuriser.molecule(entry.smiles)


def _why(molfile: str) -> str:
    """What RDKit has against a Molfile."""
    mol = Chem.MolFromMolBlock(molfile, sanitize=False)
    if mol is None:
        return "not a Molfile"
    problems = Chem.DetectChemistryProblems(mol)
    return problems[0].Message() if problems else "RDKit cannot read it"
