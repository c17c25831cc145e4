"""Features, coordinates and predictions do not depend on how the SMILES of a molecule is written."""

from itertools import chain

import numpy as np
import pytest
from rdkit import Chem

from tenfold.emulators.graphs import Graphs
from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.parsing import parse_records
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.readers.molecule import MoleculeRecord

MOLECULES = (
    # one stereocentre: carbon, sulfur, phosphorus, nitrogen, by isotope alone
    "C[C@H](N)C(=O)O", "C[C@@H](O)c1ccccc1", "FC(Cl)(Br)[C@H](F)Cl", "C[S@](=O)c1ccccc1", "C[P@](=O)(O)CC",
    "C[N+](CC)(CCC)[C@H](C)c1ccccc1", "[2H][C@H](C)O", "CC1=CC[C@H](C(C)=C)CC1", "CN1CCC[C@H]1c1cccnc1",
    # several, meso and pseudoasymmetric ones
    "O[C@H](C(=O)O)[C@@H](O)C(=O)O", "O[C@@H](C(=O)O)[C@@H](O)C(=O)O", "CC[C@H](C)[C@@H](C)CC",
    "C[C@H](O)[C@H](O)[C@@H](C)O", "C[C@H](O)[C@@H](O)[C@@H](C)O", "C[C@H](F)C[C@H](Cl)Br",
    # rings whose stereocentres know of each other alone
    "C[C@H]1CC[C@H](C)CC1", "C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](O)CC1", "C[C@H]1CC[C@@H](O)CC1",
    "C[C@H]1C[C@@H](C)C1", "O[C@H]1[C@H](O)[C@@H](O)[C@H](O)[C@H](O)[C@@H]1O", "F/C=C1/CC[C@H](C)CC1",
    # bicyclic, spiro, steroid, sugars, a peptide
    "C1[C@H]2CC[C@@H]1C=C2", "CC1(C)[C@@H]2CC[C@@]1(C)C(=O)C2", "C[C@@H]1CC[C@@]2(CC1)CC[C@@H](O)C2",
    "C[C@]12CC[C@H]3[C@@H](CCc4cc(O)ccc34)[C@@H]1CC[C@@H]2O", "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "OC[C@H]1O[C@H](O)[C@H](O)[C@@H](O)[C@@H]1O", "OC[C@@]1(O)OC[C@@H](O)[C@@H](O)[C@@H]1O",
    "C[C@H](NC(=O)[C@@H](N)Cc1ccccc1)C(=O)O",
    # double bonds
    "C/C=C/C", "C/C=C\\C", "C/C=C/C=C\\C", "C/C(Cl)=N/O", "C/C(F)=C(/Cl)Br", "O[C@H](/C=C/C)/C=C\\C", "C/C=C/[C@H](C)O",
    # aromatic ions, charges spread over equal atoms, tautomers as they are written
    "[O-]C(=O)c1cc[nH]c1", "c1ccc2[nH]ccc2c1", "C[n+]1ccccc1", "[cH-]1cccc1", "NC(N)=[NH2+]", "O=c1cc[nH]cc1",
    "c1ccc2c(c1)ccc1ccccc12",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C[N+](=O)[O-]", "O=S(=O)(N)c1ccc(N)cc1",
)  # fmt: skip
SPELLINGS = 20


def spellings(smiles: str, count: int = SPELLINGS) -> list[str]:
    """Random SMILES of one molecule."""
    mol = Chem.MolFromSmiles(smiles)
    written = [smiles, Chem.MolToSmiles(mol), *Chem.MolToRandomSmilesVect(mol, count, randomSeed=7)]
    assert len({Chem.MolToInchiKey(Chem.MolFromSmiles(spelling)) for spelling in written}) == 1, smiles
    return list(dict.fromkeys(written))


def form(graphs: Graphs, place: int) -> tuple:
    """Permutation-invariant form of a graph: atom codes refined by those of their neighbours until stable."""
    graph = graphs.take(np.array([place]))
    colours: list = [tuple(codes_of_atom) for codes_of_atom in graph.atoms.tolist()]
    joined: list[list[tuple[int, tuple]]] = [[] for _ in colours]
    for (begin, end), codes in zip(graph.bonds.tolist(), graph.bond_features.tolist(), strict=True):
        joined[begin].append((end, tuple(codes)))
        joined[end].append((begin, tuple(codes)))
    for _ in colours:
        refined = [
            hash((colours[n], tuple(sorted((codes, hash(colours[m])) for m, codes in joined[n]))))
            for n in range(len(colours))
        ]
        if len(set(refined)) == len(set(colours)):
            return tuple(sorted(refined))
        colours = refined
    return tuple(sorted(map(hash, colours)))


@pytest.mark.parametrize("hydrogens", [False, True])
@pytest.mark.parametrize("features", ["rich", "gilmer"])
def test_graphs_do_not_depend_on_the_smiles(features, hydrogens):
    featuriser = Featuriser(features=features, hydrogens=hydrogens)
    for smiles in MOLECULES:
        graphs, reasons = featuriser.graphs(spellings(smiles))
        assert not any(reasons)
        assert len({form(graphs, n) for n in range(len(graphs))}) == 1, smiles


def test_predictions_do_not_depend_on_the_smiles():
    shape = MPNN(network="dmpnn", hidden=32, depth=3, dense_units=(16,))
    config = PredictorConfig(
        architecture=shape, featuriser=Featuriser(), kind="regression", targets=(Target(name="y", unit=""),)
    )  # fmt: skip
    predictor = MoleculePredictor(config.network(seed=1), config)
    written = [spellings(smiles) for smiles in MOLECULES]
    predictions = predictor.predict([spelling for variants in written for spelling in variants])
    places = np.cumsum([len(variants) for variants in written])[:-1]
    for smiles, mean, sigma in zip(
        MOLECULES, np.split(predictions.mean, places), np.split(predictions.sigma, places), strict=True
    ):
        assert np.ptp(mean) < 1e-5, smiles
        assert np.ptp(sigma) < 1e-5, smiles


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
        ("C[S@](=O)c1ccccc1", "C[S@@](=O)c1ccccc1"),
        ("C[C@H]1CC[C@H](C)CC1", "C[C@H]1CC[C@@H](C)CC1"),
        ("C[C@H](O)[C@H](O)[C@@H](C)O", "C[C@H](O)[C@@H](O)[C@@H](C)O"),
        ("C/C=C/C", "C/C=C\\C"),
        ("OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O", "OC[C@H]1O[C@H](O)[C@H](O)[C@@H](O)[C@@H]1O"),
        ("O[C@@H](C(=O)O)[C@@H](O)C(=O)O", "O[C@H](C(=O)O)[C@H](O)C(=O)O"),
    ],
)
def test_stereoisomers_differ(one, other):
    graphs, _ = Featuriser().graphs([one, other])
    assert form(graphs, 0) != form(graphs, 1)


def test_chirality_is_the_cip_label():
    featuriser = Featuriser()
    chirality = [feature.name for feature in featuriser.layout.atoms].index("chirality")
    for smiles, wanted in {
        "C[C@H](N)C(=O)O": [2],  # L-alanine is S
        "N[C@@H](C)C(=O)O": [2],
        "OC(=O)[C@@H](N)C": [2],
        "C[C@@H](N)C(=O)O": [1],
        "C[C@@H](O)[C@H](N)C(=O)O": [1, 2],  # L-threonine is (2S,3R)
        "CN1CCC[C@H]1c1cccnc1": [2],  # natural nicotine is S
        "C[C@H]1CC[C@H](C)CC1": [3, 3],  # trans-1,4-dimethylcyclohexane is (1r,4r)
        "C[C@H]1CC[C@@H](C)CC1": [4, 4],  # cis is (1s,4s)
        "CCO": [],
    }.items():
        codes = featuriser.graphs([smiles])[0].atoms[:, chirality].tolist()
        assert sorted(code for code in codes if code) == wanted, smiles


def test_a_standardised_salt_has_the_stereo_labels_of_its_fragment():
    bare, salt = (Featuriser(standardise=True).graphs([s])[0] for s in ("C[C@H](N)C(=O)O", "[Na+].C[C@H](N)C(=O)[O-]"))
    assert form(bare, 0) == form(salt, 0)


def test_embedded_coordinates_do_not_depend_on_the_smiles():
    featuriser = Featuriser(features="gilmer", hydrogens=True, geometry="embed")
    # the last is α-hexachlorocyclohexane, whose canonical SMILES RDKit cannot tell from that of the enantiomer
    for smiles in (*MOLECULES[::6], "CCCCO", "[2H]OC", "Cl[C@@H]1[C@H](Cl)[C@H](Cl)[C@@H](Cl)[C@H](Cl)[C@@H]1Cl"):
        mol = Chem.MolFromSmiles(smiles)
        key = Chem.MolToInchiKey(mol)
        written = [smiles, *Chem.MolToRandomSmilesVect(mol, 4, randomSeed=3)]
        written = [spelling for spelling in written if Chem.MolToInchiKey(Chem.MolFromSmiles(spelling)) == key]
        graphs, reasons = featuriser.graphs(written)
        assert not any(reasons)
        assert graphs.positions is not None
        rows = np.concatenate([graphs.atoms, graphs.positions], axis=1).reshape(len(graphs), -1, 10)
        first = rows[0][np.lexsort(rows[0].T)]
        for row in rows[1:]:
            np.testing.assert_allclose(row[np.lexsort(row.T)], first, atol=1e-3, err_msg=smiles)


def test_keys_scaffolds_and_fingerprints_do_not_depend_on_the_smiles():
    written = [spellings(smiles, 6) for smiles in MOLECULES[::3]]
    entries = [MoleculeRecord(line=n, text=spelling, smiles=spelling) for n, spelling in enumerate(chain(*written))]
    parts = list(parse_records(entries, Featuriser(), 60.0))
    keys, scaffolds = ([value for part in parts for value in getattr(part, name)] for name in ("keys", "scaffolds"))
    fingerprints = np.concatenate([part.fingerprints for part in parts])
    place = 0
    for variants in written:
        here = slice(place, place := place + len(variants))
        assert len(set(keys[here])) == len(set(scaffolds[here])) == len(np.unique(fingerprints[here], axis=0)) == 1
