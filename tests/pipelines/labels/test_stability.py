import pytest
from rdkit import Chem

from tenfold.pipelines.labels.stability import UNSTABLE_GROUPS, find_instability

EXAMPLES = {
    "peroxide": "COOC",
    "hydrazine or chain of nitrogens": "CNNC",
    "hydroxylamine": "CNO",
    "sulphur bound to nitrogen or oxygen by a single bond": "CSN(C)C",
    "halogen bound to nitrogen, oxygen or sulphur": "CN(C)Cl",
    "hemiacetal or hemiaminal": "CC(O)OC",
    "aminal with a free NH": "CC(N)OC",
    "α-halogenated ether or amine": "CC(Cl)OC",
    "α-halogenated amine": "CN(C)C(F)(F)C",
    "orthoester": "COC(OC)OC",
    "enol": "C=C(C)O",
    "enamine with a free NH": "C=C(C)N",
    "nitroso": "CC(C)(C)N=O",
    "imidic acid": "CC(O)=NC",
    "imine with a free NH": "CC(C)=N",
    "acyl halide": "CC(=O)Cl",
    "carbonic or carbamic acid": "NC(=O)O",
    "anhydride": "CC(=O)OC(C)=O",
    "ynol, ynamine or their like": "C#CO",
    "cyanate": "N#COC",
    "acyl cyanide": "CC(=O)C#N",
    "vicinal tricarbonyl": "CC(=O)C(=O)C(C)=O",
    "cumulene": "C=C=C",
    "triple bond in a ring": "C1#CCCCC1",
    "double bond in a ring of three": "C1=CC1",
    "double bond at the seam of a small ring": "C1CC2=C1CCC2",
    "neighbouring double bonds out of a ring of three": "C=C1CC1=C",
    "aromatic ring of three or four": "Cc1c(O)on1C",
    "three nitrogens in a row in a ring of six": "c1cnnnc1",
    "hydroxyl on an aromatic ring of five": "Oc1ccco1",
    "carbonyl in a ring of three": "O=C1CC1",
    "diene in a ring of four": "C1=CC=C1",
    "two heteroatoms in a ring of three": "C1ON1C",
    "ring of four with two heteroatoms": "C1CON1C",
    "divinyl ether": "C=COC=C",
    "three heteroatoms in a row": "CN=NN(C)C",
}

SOLD = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "camphor": "CC1(C)C2CCC1(C)C(=O)C2",
    "sulfanilamide": "Nc1ccc(S(N)(=O)=O)cc1",
    "trifluralin's ring": "O=[N+]([O-])c1cccc([N+](=O)[O-])c1",
    "lansoprazole's tail": "FC(F)(F)COc1ccccn1",
    "tetrazole": "c1nnn[nH]1",
    "oxirane": "C1CO1",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "norbornene": "C1=CC2CCC1C2",
    "dimethoxymethane": "COCOC",
    "acetone oxime": "CC(C)=NO",
    "azetidine": "C1CNC1",
}


@pytest.mark.parametrize("name", UNSTABLE_GROUPS)
def test_every_unstable_group_is_recognised(name):
    pattern = Chem.MolFromSmarts(UNSTABLE_GROUPS[name])
    mol = Chem.MolFromSmiles(EXAMPLES[name])
    assert mol.HasSubstructMatch(pattern)
    assert find_instability(mol) is not None


@pytest.mark.parametrize("name", SOLD)
def test_commercial_compounds_are_accepted(name):
    assert find_instability(Chem.MolFromSmiles(SOLD[name])) is None


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1C2CC12", "two small rings that share a bond"),  # bicyclobutane
        ("C1CC2CC12", "two small rings that share a bond"),  # housane
        ("C1=C2CCC(C1)C2", "Bredt"),
        ("C1CC12CC2C1CC1", "more than two rings of three or four"),
    ],
)
def test_strained_rings_are_recognised(smiles, reason):
    assert reason in find_instability(Chem.MolFromSmiles(smiles))
