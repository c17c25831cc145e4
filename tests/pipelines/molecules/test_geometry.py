"""Coordinates that a file gives are those of a molecule in space, or the molecule is refused with the reason."""

import dataclasses

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem
from tests.formats.molecules import HERE, SMILES, placed, rejected, write_csv

from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.parsing import read_molecule
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.readers.molecule import MoleculeRecord, UnusableMoleculeError

GIVEN = Featuriser(features="gilmer", geometry="given", hydrogens=True)
HEAVY = dataclasses.replace(GIVEN, hydrogens=False)


def molfile(mol: Chem.Mol, dimension: str = "", *, v3000: bool = False) -> str:
    """A Molfile that says of its coordinates that they are 2D, 3D, or nothing."""
    lines = Chem.MolToMolBlock(mol, forceV3000=v3000).split("\n")
    lines[1] = f"{lines[1][:20]}{dimension:2}{lines[1][22:]}"
    return "\n".join(lines)


def drawn(smiles: str, *, hydrogens: bool = False) -> Chem.Mol:
    """A molecule as it is drawn on paper."""
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
    """Why a molecule is refused."""
    with pytest.raises(UnusableMoleculeError) as found:
        read_molecule(entry, featuriser)
    return found.value.reason


def of(text: str) -> MoleculeRecord:
    return MoleculeRecord(line=1, text="", molfile=text)


@pytest.mark.parametrize("v3000", [False, True])
@pytest.mark.parametrize("hydrogens", [False, True])
@pytest.mark.parametrize("smiles", ["CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1", "C[C@H](O)F"])
def test_a_drawing_is_no_geometry(smiles, hydrogens, v3000):
    mol = drawn(smiles, hydrogens=hydrogens)
    featuriser = GIVEN if hydrogens else HEAVY
    said = refused(of(molfile(mol, "2D", v3000=v3000)), featuriser)
    assert said == "a drawing: its coordinates are 2D; coordinates must be made (geometry embed)"


def test_a_drawing_that_does_not_say_so_is_told_by_what_cannot_be():
    assert "all z are 0, and hydrogens are left out" in refused(of(molfile(drawn("c1ccccc1"))), HEAVY)
    mol = drawn("CCO", hydrogens=True)
    for dimension in ("", "3D"):
        said = refused(of(molfile(mol, dimension)))
        assert said.startswith("a drawing: atom 1 (C) has four neighbours, and all atoms lie in one plane")
    tilted = moved(mol, mol.GetConformer().GetPositions() @ np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]))
    assert refused(of(molfile(tilted, "3D"))).startswith("a drawing: atom 1 (C) has four neighbours")


@pytest.mark.parametrize("smiles", ["c1ccccc1", "O", "C#N", "[H][H]", "O=C=O", "c1ccc2ccccc2c1", "C=C"])
@pytest.mark.parametrize("dimension", ["", "3D"])
def test_a_flat_molecule_is_one(smiles, dimension):
    positions = (mol := placed(smiles)).GetConformer().GetPositions()
    _, _, axes = np.linalg.svd(positions - positions.mean(axis=0), full_matrices=len(positions) < 3)
    flat = (positions - positions.mean(axis=0)) @ axes.T
    flat[:, 2] = 0
    found = read_molecule(of(molfile(moved(mol, flat), dimension)), GIVEN)
    np.testing.assert_allclose(found.GetConformer().GetPositions(), flat, atol=1e-4)


def test_an_atom_alone_may_stand_at_the_origin():
    assert read_molecule(of(molfile(moved(placed("[He]"), np.zeros((1, 3))))), GIVEN).GetNumAtoms() == 1


def test_coordinates_of_nothing_are_refused():
    mol = placed("CCO")
    positions = mol.GetConformer().GetPositions()
    assert refused(of(molfile(moved(mol, 0 * positions), "3D"))) == "all its coordinates are 0"
    text = molfile(mol, "3D").split("\n")
    text[4] = f"{'nan':>10}" * 3 + text[4][30:]
    assert refused(of("\n".join(text))) == "a coordinate is no finite number"
    frame = MoleculeRecord(line=1, text="", symbols=("O", "H", "H"), positions=((0, 0, 0),) * 3)
    assert refused(frame)
    together = positions.copy()
    together[4] = together[3]
    assert refused(of(molfile(moved(mol, together), "3D"))) == "atoms 4 and 5 stand 0 Å apart"


@pytest.mark.parametrize(("scale", "said"), [(1 / 0.529177, "1.9"), (0.1, "0.1")])
def test_coordinates_in_another_unit_are_asked_about(scale, said):
    mol = placed("CCO")
    text = molfile(moved(mol, scale * mol.GetConformer().GetPositions()), "3D")
    assert refused(of(text)) == f"its bonds are {said} times as long as such bonds are: is it in Å?"


def test_hydrogens_are_not_placed_silently():
    bare = Chem.RemoveHs(placed("CCO"))
    said = refused(of(molfile(bare, "3D")))
    assert said.startswith("6 hydrogens without coordinates: the file must place them, or all coordinates be made")
    assert read_molecule(of(molfile(bare, "3D")), HEAVY).GetNumAtoms() == 3
    assert read_molecule(of(molfile(placed("CCO"), "3D")), HEAVY).GetNumAtoms() == 3


def test_a_smiles_with_coordinates_keeps_the_hydrogens_of_its_file():
    mol = placed("CO")
    text = Chem.MolToCXSmiles(mol)
    assert text.count("[H]") == 4
    found = read_molecule(MoleculeRecord(line=1, text="", smiles=text), GIVEN)
    assert found.GetNumAtoms() == 6
    order = mol.GetSubstructMatch(found)
    np.testing.assert_allclose(
        found.GetConformer().GetPositions(), mol.GetConformer().GetPositions()[list(order)], atol=1e-3
    )
    assert refused(MoleculeRecord(line=1, text="", smiles=Chem.MolToCXSmiles(drawn("CO")))).startswith(
        "a drawing: its coord"
    )
    assert refused(MoleculeRecord(line=1, text="", smiles=Chem.MolToCXSmiles(Chem.RemoveHs(mol)))).startswith(
        "4 hydrogens"
    )


def test_drawings_are_listed_one_by_one_or_their_coordinates_made_if_asked(tmp_path):
    with (tmp_path / "m.sdf").open("w") as opened:
        for n, smiles in enumerate(SMILES[2:8]):
            mol = drawn(smiles, hydrogens=True) if n == 4 else placed(smiles)
            opened.write(f"{molfile(mol, '2D' if n == 4 else '3D')}>  <y>\n{n}\n\n$$$$\n")
    config = dataclasses.replace(HERE, fractions=(1, 0, 0), geometry="given", hydrogens=True)
    assert ingest_molecules([tmp_path / "m.sdf"], tmp_path / "data", config).molecules == 5
    ((name, _, _, reason),) = rejected(tmp_path / "data")
    assert (name, reason) == ("m.sdf", "a drawing: its coordinates are 2D; coordinates must be made (geometry embed)")
    summary = ingest_molecules([tmp_path / "m.sdf"], tmp_path / "made", dataclasses.replace(config, geometry="embed"))
    assert summary.molecules == 6
    assert "Coordinates were made by ETKDGv3 and MMFF94; any that files give are not used." in str(summary)
    positions = MoleculeShards.open(tmp_path / "made").graphs([4]).positions
    assert positions is not None
    assert abs(positions[:, 2]).max() > 0.3


def test_no_coordinates_are_said_of_a_table(tmp_path):
    table = write_csv(tmp_path / "m.csv", [("CCO |(0,0,0;1.5,0,0;2.2,1.1,0.3)|", 1)])
    config = dataclasses.replace(HERE, fractions=(1, 0, 0), geometry="given")
    assert ingest_molecules([table], tmp_path / "data", config).molecules == 1
