"""From a molecule to its graph of codes, by a description that a bundle can carry."""

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
"""Why a molecule without any cannot be used where they must be given."""
_LONGEST_TEXT_PER_ATOM = 20
_LARGE_CHARGE = re.compile(r"[+-]\d{3,}(:\d+)?\]")
"""RDKit keeps charges in one byte, and reads +300 as +44."""


@dataclass(frozen=True, kw_only=True)
class Featuriser:
    """How molecules become graphs."""

    features: Literal["rich", "gilmer"] = "rich"
    """rich: what networks of bonds alone need; gilmer: table 1 of arXiv:1704.01212. `atom_codes` has both."""
    hydrogens: bool = False
    """Whether hydrogens are atoms of the graph."""
    geometry: Literal["none", "given", "embed"] = "none"
    """Coordinates: left out, taken from the file, or made by ETKDGv3 and MMFF94."""
    standardise: bool = False
    """Keep only the largest fragment, neutral."""
    max_atoms: int = 1000
    """A molecule of more atoms, hydrogens that are atoms of the graph included, is refused; so is, before it is read, a
    SMILES of more than 20 characters for each of them."""
    seed: int = 0
    """Of the coordinates that are made."""

    def __post_init__(self):
        """Refuse what cannot be done."""
        if self.features not in ("rich", "gilmer"):
            raise ValueError(f"features: found {self.features!r}, valid are rich, gilmer")
        if self.geometry not in ("none", "given", "embed"):
            raise ValueError(f"geometry: found {self.geometry!r}, valid are none, given, embed")
        if self.standardise and self.geometry == "given":
            raise ValueError("standardise: moves hydrogens, which a given geometry does not follow; set one of the two")
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
        """What the codes of its graphs mean."""
        return RICH_LAYOUT if self.features == "rich" else GILMER_LAYOUT

    def read_smiles(self, smiles: str) -> Chem.Mol:
        """Read a SMILES and make the molecule ready.

        Raises
        ------
        UnusableMoleculeError
            It is empty, no SMILES, chemically impossible, too large, or needs coordinates that it does not bring.
        """
        smiles = smiles.strip()
        if not smiles:
            raise UnusableMoleculeError("no SMILES")
        if len(smiles) > _LONGEST_TEXT_PER_ATOM * self.max_atoms:
            reason = f"{len(smiles):,} characters, more than {self.max_atoms:,} atoms can need"
            raise UnusableMoleculeError(reason)
        charge = _LARGE_CHARGE.search(smiles)
        if charge:
            raise UnusableMoleculeError(f"no atom has the charge {charge[0][:10].partition(':')[0].rstrip(']')}")
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            raise UnusableMoleculeError(_why(smiles))
        return self.prepare(mol)

    def prepare(self, mol: Chem.Mol) -> Chem.Mol:
        """Make a sanitised molecule ready: standardised, hydrogens and geometry as described.

        Raises
        ------
        UnusableMoleculeError
            It has no atoms, is too large, or has no coordinates where they must be given.
        """
        self._bound(mol)
        if self.standardise:
            mol = standardise_molecule(mol)
        if self.geometry == "given" and not mol.GetNumConformers():
            raise UnusableMoleculeError(NO_COORDINATES)
        if self.hydrogens or self.geometry == "embed":
            mol = Chem.AddHs(mol, addCoords=self.geometry == "given")
            self._bound(mol)
        if self.geometry == "embed":
            mol = embed_conformer(mol, self.seed)
        if not self.hydrogens and mol.GetNumHeavyAtoms() < mol.GetNumAtoms():
            mol = Chem.RemoveHs(mol)
        return mol

    def graph(self, mol: Chem.Mol) -> Graphs:
        """Return the graph of a molecule that is ready."""
        codes = GraphBuilder(self.layout, positions=self.geometry != "none")
        codes.add(mol)
        return codes.graphs()

    def graphs(self, smiles: Sequence[str]) -> tuple[Graphs, list[str | None]]:
        """Graphs of many SMILES.

        Returns
        -------
        Graphs
            Of those that can be used, in the order given.
        list of str or None
            For every SMILES: None, or why it cannot be used.
        """
        codes = GraphBuilder(self.layout, positions=self.geometry != "none")
        reasons: list[str | None] = []
        with rdBase.BlockLogs():
            for each in smiles:
                try:
                    codes.add(self.read_smiles(each), each)
                except Exception as error:  # noqa: BLE001 (RDKit raises many kinds; a bad row never stops a run)
                    reasons.append(rejection_reason(error))
                else:
                    reasons.append(None)
        return codes.graphs(), reasons

    def _bound(self, mol: Chem.Mol) -> None:
        atoms = mol.GetNumAtoms()
        if not atoms:
            raise UnusableMoleculeError("no atoms")
        if atoms > self.max_atoms:
            raise UnusableMoleculeError(f"{atoms:,} atoms, more than max_atoms {self.max_atoms:,}")


def rejection_reason(error: Exception) -> str:
    """Return why a molecule cannot be used, from what was raised over it."""
    if isinstance(error, UnusableMoleculeError):
        return error.reason
    said = str(error).strip()
    return f"RDKit cannot use it ({said.splitlines()[0] if said else repr(error)})"


def _why(smiles: str) -> str:
    """What RDKit has against a SMILES."""
    parameters = Chem.SmilesParserParams()
    parameters.sanitize = False
    mol = Chem.MolFromSmiles(smiles, parameters)
    if mol is None:
        return "not a SMILES"
    problems = Chem.DetectChemistryProblems(mol)
    return problems[0].Message() if problems else "RDKit cannot read it"
