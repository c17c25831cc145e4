"""The forest beside the network is a rival: what adds up atom by atom it answers, and it knows no test labels."""

import csv

import numpy as np
import pytest
from rdkit import Chem

from tenfold.pipelines.labels.enumeration import enumerate_molecules
from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.ingest import MoleculeIngest, ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.rivals import CompositionModel, Forest, composition, fit_rivals

SHARES = {"H": -13.0, "C": -1030.0, "N": -1490.0, "O": -2040.0, "F": -2710.0}
"""Of a total energy, as each atom has it [eV]."""
AROMATIC = Chem.MolFromSmarts("a")


def energy(molecule: Chem.Mol) -> float:
    """Sum over the atoms, hydrogens included."""
    return sum(SHARES[atom.GetSymbol()] + SHARES["H"] * atom.GetTotalNumHs() for atom in molecule.GetAtoms())


@pytest.fixture(scope="module", params=[False, True], ids=["hydrogens implicit", "hydrogens in the graph"])
def data(request, tmp_path_factory):
    """Molecules with an energy that adds up, and with whether they are aromatic, which does not."""
    folder = tmp_path_factory.mktemp("rivals")
    made = [Chem.MolFromSmiles(smiles) for smiles in enumerate_molecules(400, 3)]
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "energy", "ring"])
        for each in made:
            ring = 1.0 + 0.001 * each.GetNumAtoms() if each.HasSubstructMatch(AROMATIC) else 0.0
            writer.writerow([Chem.MolToSmiles(each), f"{energy(each):.3f}", f"{ring:.4f}"])
    config = MoleculeIngest(targets=("energy", "ring"), processes=1, hydrogens=request.param)
    ingest_molecules([folder / "table.csv"], folder / "data", config)
    return MoleculeShards.open(folder / "data")


@pytest.fixture(scope="module")
def rivals(data):
    return fit_rivals(data, data.split("test"), "regression", 0)


def test_a_property_that_adds_up_is_answered_to_a_percent(data, rivals):
    test = data.split("test")
    truth, found = data.targets(test)[:, 0], rivals.predictions["random_forest"][:, 0, 0]
    assert "energy" in rivals.by_composition
    assert np.abs(found / truth - 1).max() < 0.01
    train = data.split("train")
    bits, asked = (np.unpackbits(morgan_fingerprints(data.smiles(rows)), axis=1) for rows in (train, test))
    plain = Forest.fit(bits, None, data.targets(train)[:, 0], trees=50, seed=0)
    alone = plain.predict(asked, composition(data, test))[:, 0]
    assert np.abs(alone / truth - 1).mean() > 20 * np.abs(found / truth - 1).mean()


def test_composition_counts_every_hydrogen(data):
    rows = data.split("test")[:20]
    expected = [Chem.AddHs(Chem.MolFromSmiles(smiles)).GetNumAtoms() for smiles in data.smiles(rows)]
    np.testing.assert_array_equal(composition(data, rows).sum(axis=1), expected)


def test_test_labels_play_no_part(data, rivals, monkeypatch):
    test, read = data.split("test"), data.targets

    def hidden(rows):
        found = read(rows)
        found[np.isin(rows, test)] = 1e6
        return found

    monkeypatch.setattr(data, "targets", hidden)
    after = fit_rivals(data, test, "regression", 0).predictions
    for name in ("random_forest", "mean"):
        np.testing.assert_array_equal(after[name], rivals.predictions[name])


def test_an_element_that_training_never_had_adds_nothing():
    counts = np.array([[1.0, 4.0, 0.0], [2.0, 6.0, 0.0], [1.0, 0.0, 0.0], [2.0, 2.0, 0.0]])
    model = CompositionModel.fit(counts, 3.0 + counts @ [10.0, 1.0, 99.0])
    assert model.constant == pytest.approx(3.0)
    assert model.shares == pytest.approx([10.0, 1.0, 0.0])


def test_with_too_few_validation_labels_a_target_that_grows_with_the_molecule_gets_the_model(tmp_path):
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "U0", "volume", "gap"])
        for n, smiles in enumerate(enumerate_molecules(30, 3)):
            writer.writerow([smiles, *(f"{energy(Chem.MolFromSmiles(smiles)) + n / 100:.3f}" for _ in range(3))])
    config = MoleculeIngest(targets=("U0", "volume", "gap"), units={"U0": "eV"}, extensive=("volume",), processes=1)
    ingest_molecules([tmp_path / "table.csv"], tmp_path / "data", config)
    with MoleculeShards.open(tmp_path / "data") as few:
        assert len(few.split("validation")) < 8
        assert fit_rivals(few, few.split("train")[:3], "regression", 0).by_composition == ("U0", "volume")
