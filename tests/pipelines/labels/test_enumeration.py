import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from tenfold.pipelines.labels.enumeration import MAX_DRUGLIKE_HEAVY_ATOMS, enumerate_molecules
from tenfold.pipelines.labels.fragments import CORES, DECORATIONS, DIRECT_BOND, LINKERS, RING_SYSTEMS, SUBSTITUENTS
from tenfold.pipelines.labels.stability import find_instability


@pytest.fixture(scope="module")
def small() -> list[str]:
    return enumerate_molecules(400, seed=1, kind="qm9")


@pytest.fixture(scope="module")
def drugs() -> list[str]:
    return enumerate_molecules(80, seed=1, kind="druglike")


def atoms_of(smiles: str) -> list[Chem.Atom]:
    return list(Chem.MolFromSmiles(smiles).GetAtoms())


def test_the_seed_determines_the_set_and_smaller_sets_are_prefixes(small):
    assert enumerate_molecules(150, seed=1, kind="qm9") == small[:150]
    assert len(set(enumerate_molecules(150, seed=2, kind="qm9")) & set(small)) < 60


def test_molecules_are_canonical_and_distinct(small, drugs):
    for smiles in (small, drugs):
        assert [Chem.CanonSmiles(molecule) for molecule in smiles] == smiles
        assert len({Chem.MolToInchiKey(Chem.MolFromSmiles(molecule))[:14] for molecule in smiles}) == len(smiles)


def test_molecules_are_neutral_closed_shell_connected_and_stable(small, drugs):
    for smiles in (*small, *drugs):
        mol = Chem.MolFromSmiles(smiles)
        assert "." not in smiles
        assert Chem.GetFormalCharge(mol) == 0
        assert Descriptors.NumRadicalElectrons(mol) == 0
        assert find_instability(mol) is None


def test_small_molecules_have_the_elements_and_sizes_of_qm9(small):
    assert {atom.GetSymbol() for smiles in small for atom in atoms_of(smiles)} == {"C", "N", "O", "F"}
    sizes = [len(atoms_of(smiles)) for smiles in small]
    assert max(sizes) == 9
    assert sizes.count(9) > sizes.count(8) > sizes.count(7) > sizes.count(6)


def test_small_molecules_cover_the_functional_groups_of_organic_chemistry(small):
    groups = {
        "alcohol": "[CX4][OH]", "primary amine": "[CX4][NH2]", "nitrile": "C#N", "alkyne": "C#C", "alkene": "C=C",
        "ketone": "CC(=O)C", "amide": "C(=O)N", "ester": "C(=O)OC", "acid": "C(=O)[OH]", "fluoride": "CF",
        "ring of three": "[r3]", "of four": "[r4]", "of five": "[r5]", "of six": "[r6]", "arene": "a",
        "fused rings": "[R2]",
    }  # fmt: skip
    for name, smarts in groups.items():
        pattern = Chem.MolFromSmarts(smarts)
        share = sum(Chem.MolFromSmiles(smiles).HasSubstructMatch(pattern) for smiles in small) / len(small)
        assert 0.01 < share < 0.7, name


def test_drug_like_molecules_obey_lipinskis_rules(drugs):
    for smiles in drugs:
        mol = Chem.MolFromSmiles(smiles)
        assert mol.GetNumAtoms() <= MAX_DRUGLIKE_HEAVY_ATOMS
        assert Descriptors.MolWt(mol) <= 500
        assert Crippen.MolLogP(mol) <= 5
        assert rdMolDescriptors.CalcNumHBD(mol) <= 5
    assert {"S", "F", "Cl"} <= {atom.GetSymbol() for smiles in drugs for atom in atoms_of(smiles)}


def test_a_mixed_set_is_a_quarter_drug_like():
    mixed = enumerate_molecules(200, seed=3, kind="mixed")
    assert 0.15 < sum(len(atoms_of(smiles)) > 9 for smiles in mixed) / 200 < 0.35


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind: found 'zinc', must be one of qm9, druglike, mixed"):
        enumerate_molecules(1, 0, "zinc")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("smiles", [*CORES, *RING_SYSTEMS, *SUBSTITUENTS, *DECORATIONS, *LINKERS])
def test_every_fragment_is_a_valid_molecule(smiles):
    mol = Chem.MolFromSmiles(smiles)
    assert mol is not None
    ends = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
    assert len(ends) == (2 if smiles in LINKERS else 0)
    if smiles in CORES or smiles in RING_SYSTEMS:
        assert find_instability(mol) is None
        assert any(atom.GetTotalNumHs() for atom in mol.GetAtoms())
    if smiles in SUBSTITUENTS or smiles in DECORATIONS:
        assert Chem.MolFromSmiles(f"C{smiles}") is not None
    assert DIRECT_BOND in LINKERS
