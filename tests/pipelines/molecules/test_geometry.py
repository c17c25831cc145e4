"""Given coordinates are a plausible 3D structure, or the molecule is rejected with a reason."""

import dataclasses

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem
from tests.formats.molecules import CONFIG, SMILES, embed, rejected, write_csv

from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.parsing import read_molecule
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.readers.molecule import MoleculeRecord, UnusableMoleculeError

GIVEN = Featuriser(features="gilmer", geometry="given", hydrogens=True)
HEAVY = dataclasses.replace(GIVEN, hydrogens=False)


def molfile(mol: Chem.Mol, dimension: str = "", *, v3000: bool = False) -> str:
    """Molfile flagged 2D, 3D, or without a flag."""
    lines = Chem.MolToMolBlock(mol, forceV3000=v3000).split("\n")
    lines[1] = f"{lines[1][:20]}{dimension:2}{lines[1][22:]}"
    return "\n".join(lines)


def drawn(smiles: str, *, hydrogens: bool = False) -> Chem.Mol:
    """Molecule with the coordinates of a 2D depiction."""
    mol = Chem.MolFromSmiles(smiles)
    mol = Chem.AddHs(mol) if hydrogens else mol
    AllChem.Compute2DCoords(mol)
    return mol


def moved(mol: Chem.Mol, positions: np.ndarray) -> Chem.Mol:
    mol = Chem.Mol(mol)
    mol.GetConformer().SetPositions(np.ascontiguousarray(positions, float))
    mol.GetConformer().Set3D(True)
    return mol


def refused(entry: MoleculeRecord, featuriser: Featuriser = GIVEN) -> str:
    """Reason for the rejection of a record."""
    with pytest.raises(UnusableMoleculeError) as error:
        read_molecule(entry, featuriser)
    return error.value.reason


def of(text: str) -> MoleculeRecord:
    return MoleculeRecord(line=1, text="", molfile=text)


@pytest.mark.parametrize("v3000", [False, True])
@pytest.mark.parametrize("hydrogens", [False, True])
@pytest.mark.parametrize("smiles", ["CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1", "C[C@H](O)F"])
def test_a_2d_depiction_is_not_a_geometry(smiles, hydrogens, v3000):
    mol = drawn(smiles, hydrogens=hydrogens)
    featuriser = GIVEN if hydrogens else HEAVY
    message = refused(of(molfile(mol, "2D", v3000=v3000)), featuriser)
    assert message == "a 2D depiction: its coordinates are flagged 2D; generate coordinates (geometry embed)"


def test_an_unflagged_2d_depiction_is_recognised():
    assert "all z are 0 and hydrogens are missing" in refused(of(molfile(drawn("c1ccccc1"))), HEAVY)
    mol = drawn("CCO", hydrogens=True)
    for dimension in ("", "3D"):
        message = refused(of(molfile(mol, dimension)))
        assert message.startswith("a 2D depiction: atom 1 (C) has four neighbours, but all atoms are coplanar")
    tilted = moved(mol, mol.GetConformer().GetPositions() @ np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]))
    assert refused(of(molfile(tilted, "3D"))).startswith("a 2D depiction: atom 1 (C) has four neighbours")


@pytest.mark.parametrize("smiles", ["c1ccccc1", "O", "C#N", "[H][H]", "O=C=O", "c1ccc2ccccc2c1", "C=C"])
@pytest.mark.parametrize("dimension", ["", "3D"])
def test_a_planar_molecule_is_accepted(smiles, dimension):
    positions = (mol := embed(smiles)).GetConformer().GetPositions()
    _, _, axes = np.linalg.svd(positions - positions.mean(axis=0), full_matrices=len(positions) < 3)
    flat = (positions - positions.mean(axis=0)) @ axes.T
    flat[:, 2] = 0
    accepted = read_molecule(of(molfile(moved(mol, flat), dimension)), GIVEN)
    np.testing.assert_allclose(accepted.GetConformer().GetPositions(), flat, atol=1e-4)


def test_a_single_atom_may_be_at_the_origin():
    assert read_molecule(of(molfile(moved(embed("[He]"), np.zeros((1, 3))))), GIVEN).GetNumAtoms() == 1


def test_missing_coordinates_are_refused():
    mol = embed("CCO")
    positions = mol.GetConformer().GetPositions()
    assert refused(of(molfile(moved(mol, 0 * positions), "3D"))) == "all its coordinates are 0"
    text = molfile(mol, "3D").split("\n")
    text[4] = f"{'nan':>10}" * 3 + text[4][30:]
    assert refused(of("\n".join(text))) == "a coordinate is not finite"
    frame = MoleculeRecord(line=1, text="", symbols=("O", "H", "H"), positions=((0, 0, 0),) * 3)
    assert refused(frame)
    together = positions.copy()
    together[4] = together[3]
    assert refused(of(molfile(moved(mol, together), "3D"))) == "atoms 4 and 5 are 0 Å apart"


@pytest.mark.parametrize(("scale", "message"), [(1 / 0.529177, "1.9"), (0.1, "0.1")])
def test_coordinates_in_another_unit_are_refused(scale, message):
    mol = embed("CCO")
    text = molfile(moved(mol, scale * mol.GetConformer().GetPositions()), "3D")
    assert refused(of(text)) == f"its bonds are {message} times as long as expected: are its coordinates in Å?"


def test_missing_hydrogens_are_refused():
    bare = Chem.RemoveHs(embed("CCO"))
    message = refused(of(molfile(bare, "3D")))
    assert message.startswith("6 hydrogens without coordinates: add them to the file, or generate all coordinates")
    assert read_molecule(of(molfile(bare, "3D")), HEAVY).GetNumAtoms() == 3
    assert read_molecule(of(molfile(embed("CCO"), "3D")), HEAVY).GetNumAtoms() == 3


def test_a_smiles_with_coordinates_keeps_the_hydrogens_of_its_file():
    mol = embed("CO")
    text = Chem.MolToCXSmiles(mol)
    assert text.count("[H]") == 4
    accepted = read_molecule(MoleculeRecord(line=1, text="", smiles=text), GIVEN)
    assert accepted.GetNumAtoms() == 6
    order = mol.GetSubstructMatch(accepted)
    np.testing.assert_allclose(
        accepted.GetConformer().GetPositions(), mol.GetConformer().GetPositions()[list(order)], atol=1e-3
    )
    assert refused(MoleculeRecord(line=1, text="", smiles=Chem.MolToCXSmiles(drawn("CO")))).startswith(
        "a 2D depiction: its coord"
    )
    assert refused(MoleculeRecord(line=1, text="", smiles=Chem.MolToCXSmiles(Chem.RemoveHs(mol)))).startswith(
        "4 hydrogens"
    )


def test_2d_depictions_are_rejected_or_embedded(tmp_path):
    with (tmp_path / "m.sdf").open("w") as opened:
        for n, smiles in enumerate(SMILES[2:8]):
            mol = drawn(smiles, hydrogens=True) if n == 4 else embed(smiles)
            opened.write(f"{molfile(mol, '2D' if n == 4 else '3D')}>  <y>\n{n}\n\n$$$$\n")
    config = dataclasses.replace(CONFIG, fractions=(1, 0, 0), geometry="given", hydrogens=True)
    assert ingest_molecules([tmp_path / "m.sdf"], tmp_path / "data", config).molecules == 5
    ((name, _, _, reason),) = rejected(tmp_path / "data")
    assert (name, reason) == (
        "m.sdf",
        "a 2D depiction: its coordinates are flagged 2D; generate coordinates (geometry embed)",
    )
    summary = ingest_molecules([tmp_path / "m.sdf"], tmp_path / "made", dataclasses.replace(config, geometry="embed"))
    assert summary.molecules == 6
    assert "Coordinates were generated by ETKDGv3 and MMFF94; coordinates in the files are not used." in str(summary)
    positions = MoleculeShards.open(tmp_path / "made").graphs([4]).positions
    assert positions is not None
    assert abs(positions[:, 2]).max() > 0.3


def test_a_table_without_coordinates_is_refused(tmp_path):
    table = write_csv(tmp_path / "m.csv", [("CCO |(0,0,0;1.5,0,0;2.2,1.1,0.3)|", 1)])
    config = dataclasses.replace(CONFIG, fractions=(1, 0, 0), geometry="given")
    assert ingest_molecules([table], tmp_path / "data", config).molecules == 1
