"""The random-forest baseline is strong: it predicts additive properties, and it does not use test labels."""

import csv

import numpy as np
import pytest
from rdkit import Chem

from tenfold.pipelines.labels.enumeration import enumerate_molecules
from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.ingest import MoleculeIngest, ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.baselines import CompositionModel, Forest, composition, fit_baselines

ATOM_ENERGIES = {"H": -13.0, "C": -1030.0, "N": -1490.0, "O": -2040.0, "F": -2710.0}
"""Contribution of each atom to a total energy [eV]."""
AROMATIC = Chem.MolFromSmarts("a")


def energy(molecule: Chem.Mol) -> float:
    """Return the sum over the atoms, hydrogens included."""
    return sum(
        ATOM_ENERGIES[atom.GetSymbol()] + ATOM_ENERGIES["H"] * atom.GetTotalNumHs() for atom in molecule.GetAtoms()
    )


@pytest.fixture(scope="module", params=[False, True], ids=["hydrogens implicit", "hydrogens in the graph"])
def data(request, tmp_path_factory):
    """Molecules with an energy that is additive over atoms, and a label of aromaticity, which is not."""
    folder = tmp_path_factory.mktemp("baselines")
    molecules = [Chem.MolFromSmiles(smiles) for smiles in enumerate_molecules(400, 3)]
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "energy", "ring"])
        for molecule in molecules:
            ring = 1.0 + 0.001 * molecule.GetNumAtoms() if molecule.HasSubstructMatch(AROMATIC) else 0.0
            writer.writerow([Chem.MolToSmiles(molecule), f"{energy(molecule):.3f}", f"{ring:.4f}"])
    config = MoleculeIngest(targets=("energy", "ring"), processes=1, hydrogens=request.param)
    ingest_molecules([folder / "table.csv"], folder / "data", config)
    return MoleculeShards.open(folder / "data")


@pytest.fixture(scope="module")
def baselines(data):
    return fit_baselines(data, data.split("test"), "regression", 0)


def test_an_additive_property_is_predicted_to_a_percent(data, baselines):
    test = data.split("test")
    truth, predicted = data.targets(test)[:, 0], baselines.predictions["random_forest"][:, 0, 0]
    assert "energy" in baselines.composition_residual_targets
    assert np.abs(predicted / truth - 1).max() < 0.01
    train = data.split("train")
    bits, test_bits = (np.unpackbits(morgan_fingerprints(data.smiles(rows)), axis=1) for rows in (train, test))
    plain = Forest.fit(bits, None, data.targets(train)[:, 0], trees=50, seed=0)
    alone = plain.predict(test_bits, composition(data, test))[:, 0]
    assert np.abs(alone / truth - 1).mean() > 20 * np.abs(predicted / truth - 1).mean()


def test_composition_counts_every_hydrogen(data):
    rows = data.split("test")[:20]
    expected = [Chem.AddHs(Chem.MolFromSmiles(smiles)).GetNumAtoms() for smiles in data.smiles(rows)]
    np.testing.assert_array_equal(composition(data, rows).sum(axis=1), expected)


def test_test_labels_are_not_used(data, baselines, monkeypatch):
    test, read = data.split("test"), data.targets

    def hidden(rows):
        labels = read(rows)
        labels[np.isin(rows, test)] = 1e6
        return labels

    monkeypatch.setattr(data, "targets", hidden)
    after = fit_baselines(data, test, "regression", 0).predictions
    for name in ("random_forest", "training_mean"):
        np.testing.assert_array_equal(after[name], baselines.predictions[name])


def test_an_element_absent_from_training_has_coefficient_zero():
    counts = np.array([[1.0, 4.0, 0.0], [2.0, 6.0, 0.0], [1.0, 0.0, 0.0], [2.0, 2.0, 0.0]])
    model = CompositionModel.fit(counts, 3.0 + counts @ [10.0, 1.0, 99.0])
    assert model.intercept == pytest.approx(3.0)
    assert model.coefficients == pytest.approx([10.0, 1.0, 0.0])


def test_with_too_few_validation_labels_only_extensive_targets_get_the_composition_model(tmp_path):
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "U0", "volume", "gap"])
        for n, smiles in enumerate(enumerate_molecules(30, 3)):
            writer.writerow([smiles, *(f"{energy(Chem.MolFromSmiles(smiles)) + n / 100:.3f}" for _ in range(3))])
    config = MoleculeIngest(targets=("U0", "volume", "gap"), units={"U0": "eV"}, extensive=("volume",), processes=1)
    ingest_molecules([tmp_path / "table.csv"], tmp_path / "data", config)
    with MoleculeShards.open(tmp_path / "data") as few:
        assert len(few.split("validation")) < 8
        assert fit_baselines(few, few.split("train")[:3], "regression", 0).composition_residual_targets == (
            "U0",
            "volume",
        )
