import dataclasses
import json

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolTransforms
from tests.formats.molecules import SMILES

from tenfold.pipelines.molecules import featuriser as featuriser_module
from tenfold.pipelines.molecules.atom_features import GILMER_LAYOUT, RICH_ELEMENTS, RICH_LAYOUT
from tenfold.pipelines.molecules.featuriser import Featuriser, UnusableMoleculeError

MOLECULES = (
    *SMILES, "C[N+](C)(C)C", "[O-]C(=O)c1ccccc1", "C/C=C/C", "C/C=C\\C", "C[C@H](N)C(=O)O", "N[C@@H](C)O",
    "FS(F)(F)(F)(F)F",
    "[2H]OC", "[13CH4]", "CP(C)(C)=O", "[Na+].[Cl-]", "*CC", "[U]", "C[Si](C)(C)C", "[H][H]", "O=[N+]([O-])c1ccccc1",
)  # fmt: skip


def named(features: Featuriser, graphs) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Codes of atoms and bonds, by feature name."""
    atoms = {feature.name: graphs.atoms[:, n].tolist() for n, feature in enumerate(features.layout.atoms)}
    bonds = {feature.name: graphs.bond_features[:, n].tolist() for n, feature in enumerate(features.layout.bonds)}
    return atoms, bonds


def test_ethanol_by_hand():
    (graphs, reasons) = Featuriser().graphs(["CCO"])
    atoms, bonds = named(Featuriser(), graphs)
    assert reasons == [None]
    assert atoms == {
        "element": [5, 5, 7],
        "degree": [4, 4, 2],
        "charge": [2, 2, 2],
        "chirality": [0, 0, 0],
        "hydrogens": [3, 2, 1],
        "hybridisation": [4, 4, 4],
        "aromatic": [0, 0, 0],
        "mass": [12, 12, 16],
    }
    assert graphs.bonds.tolist() == [[0, 1], [1, 2]]
    assert bonds == {"type": [0, 0], "conjugated": [0, 0], "ring": [0, 0], "stereo": [0, 0]}


def test_pyridine_by_table_1_of_gilmer():
    featuriser = Featuriser(features="gilmer", hydrogens=True)
    atoms, bonds = named(featuriser, featuriser.graphs(["c1ccncc1"])[0])
    assert atoms["atomic_number"] == [6, 6, 6, 7, 6, 6, 1, 1, 1, 1, 1]
    assert atoms["element"] == [1, 1, 1, 2, 1, 1, 0, 0, 0, 0, 0]
    assert atoms["acceptor"] == [0, 0, 0, 1] + [0] * 7
    assert atoms["donor"] == [0] * 11
    assert atoms["aromatic"] == [1] * 6 + [0] * 5
    assert atoms["hybridisation"] == [1] * 6 + [3] * 5
    assert atoms["hydrogens"] == [1, 1, 1, 0, 1, 1] + [0] * 5
    assert sorted(bonds["type"]) == [0] * 5 + [3] * 6


def test_donors_are_those_that_can_give_a_hydrogen():
    featuriser = Featuriser(features="gilmer")
    atoms, _ = named(featuriser, featuriser.graphs(["CC(=O)NCCOC", "OCC"])[0])
    assert atoms["donor"] == [0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0]
    assert atoms["acceptor"][2] == atoms["acceptor"][6] == 1


@pytest.mark.parametrize("hydrogens", [False, True])
def test_codes_agree_with_rdkit_atom_by_atom(hydrogens):
    featuriser = Featuriser(hydrogens=hydrogens)
    graphs, reasons = featuriser.graphs(MOLECULES)
    assert reasons == [None] * len(MOLECULES)
    for number, smiles in enumerate(MOLECULES):
        mol = featuriser.read_smiles(smiles)
        atoms, bonds = named(featuriser, graphs.take(np.array([number])))
        for n, atom in enumerate(mol.GetAtoms()):
            z, charge = atom.GetAtomicNum(), atom.GetFormalCharge()
            assert atoms["element"][n] == (RICH_ELEMENTS.index(z) if z in RICH_ELEMENTS else len(RICH_ELEMENTS))
            assert atoms["degree"][n] == min(atom.GetTotalDegree(), 6)
            assert atoms["charge"][n] == (charge + 2 if abs(charge) <= 2 else 5)
            assert atoms["chirality"][n] == {"": 0, "R": 1, "S": 2}[atom.GetPropsAsDict(True, True).get("_CIPCode", "")]
            assert atoms["hydrogens"][n] == min(atom.GetTotalNumHs(includeNeighbors=True), 5)
            assert atoms["aromatic"][n] == atom.GetIsAromatic()
            assert atoms["mass"][n] == min(round(atom.GetMass()), 255)
            if z != 1:
                assert atoms["hybridisation"][n] == int(atom.GetHybridization())
        kinds = {"SINGLE": 0, "DOUBLE": 1, "TRIPLE": 2, "AROMATIC": 3}
        for n, bond in enumerate(mol.GetBonds()):
            assert bonds["type"][n] == kinds[bond.GetBondType().name]
            assert bonds["conjugated"][n] == bond.GetIsConjugated()
            assert bonds["ring"][n] == bond.IsInRing()
            assert bonds["stereo"][n] == int(bond.GetStereo())


@pytest.mark.parametrize("features", ["rich", "gilmer"])
def test_codes_are_below_the_width_of_their_feature(features):
    featuriser = Featuriser(features=features, hydrogens=True)
    graphs, _ = featuriser.graphs(MOLECULES)
    assert featuriser.layout == {"rich": RICH_LAYOUT, "gilmer": GILMER_LAYOUT}[features]
    assert (graphs.atoms.max(axis=0) < [feature.width for feature in featuriser.layout.atoms]).all()
    assert (graphs.bond_features.max(axis=0) < [feature.width for feature in featuriser.layout.bonds]).all()
    assert featuriser.layout.atoms[0].name == "element"
    assert featuriser.layout.atoms[0].scale is None


def test_a_batch_equals_its_molecules_one_by_one():
    for featuriser in (Featuriser(), Featuriser(features="gilmer", hydrogens=True)):
        graphs, _ = featuriser.graphs(MOLECULES)
        for n, smiles in enumerate(MOLECULES):
            one = featuriser.graph(featuriser.read_smiles(smiles))
            for name, values in vars(graphs.take(np.array([n]))).items():
                np.testing.assert_array_equal(values, getattr(one, name))


def test_unusable_molecules_are_rejected_with_a_reason():
    graphs, reasons = Featuriser(max_atoms=50).graphs(["CCO", "", "C1CC", "C(C)(C)(C)(C)C", "C" * 51, "CC"])
    assert graphs.sizes.tolist() == [3, 2]
    assert reasons == [
        None,
        "no SMILES",
        "not a SMILES",
        "Explicit valence for atom # 0 C, 5, is greater than permitted",
        "51 atoms, more than max_atoms 50",
        None,
    ]
    with pytest.raises(UnusableMoleculeError, match="no SMILES"):
        Featuriser().read_smiles(" ")
    assert len(Featuriser(geometry="embed", hydrogens=True).graphs([])[0]) == 0


def test_an_exception_of_rdkit_rejects_only_its_molecule(monkeypatch):
    def violated(mol):
        if mol.GetNumAtoms() == 2:
            raise RuntimeError("Pre-condition Violation\n\tdetails")
        return mol

    monkeypatch.setattr(featuriser_module, "standardise_molecule", violated)
    graphs, reasons = Featuriser(standardise=True).graphs(["CC", "CCC"])
    assert reasons == ["RDKit cannot process it (Pre-condition Violation)", None]
    assert graphs.sizes.tolist() == [3]


def test_charges_that_rdkit_cannot_store_are_refused():
    _, reasons = Featuriser().graphs(["[C+300]", "C[N-128:1]", "[Fe+3]", "[O--]", "[C+99999]"])
    assert reasons == ["no atom has the charge +300", "no atom has the charge -128", None, None,
                       "no atom has the charge +99999"]  # fmt: skip


def test_standardisation_neutralises_salts_and_keeps_permanent_charges():
    featuriser = Featuriser(standardise=True)
    for smiles, expected in {
        "[Na+].[O-]C(=O)c1ccccc1": "O=C(O)c1ccccc1",
        "Cl.CCN": "CCN",
        "C[NH3+].[Cl-]": "CN",
        "C[N+](C)(C)C.[Br-]": "C[N+](C)(C)C",
        "O.O.CCO": "CCO",
        "C[N+](=O)[O-]": "C[N+](=O)[O-]",
    }.items():
        assert Chem.MolToSmiles(featuriser.read_smiles(smiles)) == Chem.CanonSmiles(expected)


def test_embedded_coordinates_are_plausible_and_reproducible():
    featuriser = Featuriser(geometry="embed", hydrogens=True, seed=1)
    conformer = featuriser.read_smiles("C").GetConformer()
    assert rdMolTransforms.GetBondLength(conformer, 0, 1) == pytest.approx(1.09, abs=0.01)
    assert rdMolTransforms.GetAngleDeg(conformer, 1, 0, 2) == pytest.approx(109.47, abs=0.5)
    one, again = (featuriser.graphs(["CC(C)CCO"])[0].positions for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = dataclasses.replace(featuriser, seed=2).graphs(["CC(C)CCO"])[0].positions
    assert abs(one - other).max() > 0.1
    heavy = dataclasses.replace(featuriser, hydrogens=False).graphs(["CC(C)CCO"])[0]
    np.testing.assert_array_equal(heavy.positions, one[:6])


def test_embedding_does_not_change_the_features():
    # MMFF94 has an aromaticity of its own, in which a pyranone has none
    made, bare = (
        Featuriser(features="gilmer", hydrogens=True, geometry=g).graphs(["O=c1ccocc1"])[0] for g in ("embed", "none")
    )
    np.testing.assert_array_equal(made.atoms, bare.atoms)
    np.testing.assert_array_equal(made.bond_features, bare.bond_features)


def test_the_featuriser_survives_json():
    featuriser = Featuriser(features="gilmer", hydrogens=True, geometry="embed", seed=3)
    assert Featuriser(**json.loads(json.dumps(dataclasses.asdict(featuriser)))) == featuriser
