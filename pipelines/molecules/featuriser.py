"""Featuriser: from RDKit molecules to molecular graphs, with settings that are stored in bundles."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rdkit import Chem, rdBase

from tenfold.emulators.graphs import FeatureLayout, Graphs
from tenfold.pipelines.molecules.atom_features import GILMER_LAYOUT, RICH_LAYOUT, GraphBuilder
from tenfold.pipelines.molecules.conformers import embed_conformer
from tenfold.pipelines.molecules.standardise import standardise_molecule
from tenfold.pipelines.readers.molecule import UnusableMoleculeError

__all__ = ["NO_COORDINATES", "Featuriser", "UnusableMoleculeError", "rejection_reason"]

NO_COORDINATES = "no coordinates given"
"""Reason for the rejection of molecules without coordinates, if geometry is given."""
_MAX_CHARACTERS_PER_ATOM = 20
_LARGE_CHARGE = re.compile(r"[+-]\d{3,}(:\d+)?\]")
"""RDKit stores charges in one byte and reads +300 as +44."""


@dataclass(frozen=True, kw_only=True)
class Featuriser:
    """Settings of the featurisation of molecules."""

    features: Literal["rich", "gilmer"] = "rich"
    """rich: for networks without geometry; gilmer: table 1 of arXiv:1704.01212. `atom_features` defines both."""
    hydrogens: bool = False
    """Whether hydrogens are explicit atoms of the graph."""
    geometry: Literal["none", "given", "embed"] = "none"
    """Atom positions: none, taken from the file (given), or generated with ETKDGv3 and MMFF94 (embed)."""
    standardise: bool = False
    """Keep only the largest fragment, neutral."""
    max_atoms: int = 1000
    """Largest number of atoms of a graph. SMILES of more than 20 characters per atom are rejected before parsing."""
    seed: int = 0
    """Seed of generated conformers."""

    def __post_init__(self):
        """Check that the values are valid."""
        if self.features not in ("rich", "gilmer"):
            raise ValueError(f"features: found {self.features!r}, valid are rich, gilmer")
        if self.geometry not in ("none", "given", "embed"):
            raise ValueError(f"geometry: found {self.geometry!r}, valid are none, given, embed")
        if self.standardise and self.geometry == "given":
            raise ValueError(
                "standardise: it moves hydrogens, so that a given geometry is no longer valid; choose one of the two"
            )
        if self.max_atoms < 1:
            raise ValueError(f"max_atoms: found {self.max_atoms}, valid is 1 or more")

    @property
    def identity(self) -> dict[str, Any]:
        """Fields and values that identify the featuriser in the fingerprint of a data set.

        ``max_atoms`` keeps its earlier name, `largest_atoms`, so that fingerprints stay the same.
        """
        return {"largest_atoms" if name == "max_atoms" else name: value for name, value in asdict(self).items()}

    @property
    def layout(self) -> FeatureLayout:
        """Meaning of the feature codes of the graphs."""
        return RICH_LAYOUT if self.features == "rich" else GILMER_LAYOUT

    def read_smiles(self, smiles: str) -> Chem.Mol:
        """Read a SMILES and prepare the molecule for featurisation.

        Raises
        ------
        UnusableMoleculeError
            The SMILES is empty or invalid, the molecule is too large, or its coordinates are missing.
        """
        smiles = smiles.strip()
        if not smiles:
            raise UnusableMoleculeError("no SMILES")
        if len(smiles) > _MAX_CHARACTERS_PER_ATOM * self.max_atoms:
            reason = f"{len(smiles):,} characters, too long for {self.max_atoms:,} atoms"
            raise UnusableMoleculeError(reason)
        charge = _LARGE_CHARGE.search(smiles)
        if charge:
            raise UnusableMoleculeError(f"no atom has the charge {charge[0][:10].partition(':')[0].rstrip(']')}")
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            raise UnusableMoleculeError(_diagnose(smiles))
        return self.prepare(mol)

    def prepare(self, mol: Chem.Mol) -> Chem.Mol:
        """Prepare a sanitised molecule for featurisation: standardise it, set its hydrogens and geometry.

        Raises
        ------
        UnusableMoleculeError
            The molecule has no atoms, is too large, or its coordinates are missing.
        """
        self._check_size(mol)
        if self.standardise:
            mol = standardise_molecule(mol)
        if self.geometry == "given" and not mol.GetNumConformers():
            raise UnusableMoleculeError(NO_COORDINATES)
        if self.hydrogens or self.geometry == "embed":
            mol = Chem.AddHs(mol, addCoords=self.geometry == "given")
            self._check_size(mol)
        if self.geometry == "embed":
            mol = embed_conformer(mol, self.seed)
        if not self.hydrogens and mol.GetNumHeavyAtoms() < mol.GetNumAtoms():
            mol = Chem.RemoveHs(mol)
        return mol

    def graph(self, mol: Chem.Mol) -> Graphs:
        """Return the graph of a prepared molecule."""
        builder = GraphBuilder(self.layout, positions=self.geometry != "none")
        builder.add(mol)
        return builder.graphs()

    def graphs(self, smiles: Sequence[str]) -> tuple[Graphs, list[str | None]]:
        """Return the graphs of many SMILES.

        Returns
        -------
        Graphs
            Graphs of the valid molecules, in the given order.
        list of str or None
            For every SMILES: None, or the reason for its rejection.
        """
        builder = GraphBuilder(self.layout, positions=self.geometry != "none")
        reasons: list[str | None] = []
        with rdBase.BlockLogs():
            for text in smiles:
                try:
                    builder.add(self.read_smiles(text), text)
                except Exception as error:  # noqa: BLE001 (RDKit raises many types; one molecule must not stop a run)
                    reasons.append(rejection_reason(error))
                else:
                    reasons.append(None)
        return builder.graphs(), reasons

    def _check_size(self, mol: Chem.Mol) -> None:
        atoms = mol.GetNumAtoms()
        if not atoms:
            raise UnusableMoleculeError("no atoms")
        if atoms > self.max_atoms:
            raise UnusableMoleculeError(f"{atoms:,} atoms, more than max_atoms {self.max_atoms:,}")


def rejection_reason(error: Exception) -> str:
    """Return the reason for the rejection of a molecule, from the exception it raised."""
    if isinstance(error, UnusableMoleculeError):
        return error.reason
    message = str(error).strip()
    return f"RDKit cannot process it ({message.splitlines()[0] if message else repr(error)})"


def _diagnose(smiles: str) -> str:
    """Reason why RDKit rejects a SMILES."""
    parameters = Chem.SmilesParserParams()
    parameters.sanitize = False
    mol = Chem.MolFromSmiles(smiles, parameters)
    if mol is None:
        return "not a SMILES"
    problems = Chem.DetectChemistryProblems(mol)
    return problems[0].Message() if problems else "RDKit cannot read it"
