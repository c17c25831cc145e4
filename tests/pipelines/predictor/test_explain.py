"""What a user gets who asks a network for its reasons."""

import csv

import numpy as np
import pytest
from rdkit import Chem
from tests.pipelines.molecules.test_rejects import knot

from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.drawings import drawings
from tenfold.pipelines.predictor.explain import explain, explain_molecules
from tenfold.pipelines.predictor.predictor import Learnt, MoleculePredictor, Target
from tenfold.pipelines.reports.figures import Picture


def untrained(network: str, geometry: str, *targets: str, max_atoms: int = 1000) -> MoleculePredictor:
    shape = MPNN(network=network, hidden=16, depth=2, dense=(8,))
    featuriser = Featuriser(features="gilmer", hydrogens=True, geometry=geometry, max_atoms=max_atoms)
    named = tuple(Target(name=name, unit="eV") for name in targets)
    learnt = Learnt(shape=shape, featuriser=featuriser, kind="regression", targets=named)
    return MoleculePredictor(learnt.network(seed=3), learnt, size=16)


def test_shares_of_atoms_and_bonds_add_up_to_the_answer():
    found = explain(untrained("dmpnn", "none", "homo", "gap"), "CC(=O)O", "gap")
    assert (len(found.atoms), len(found.bonds), len(found.masked)) == (8, 7, 8)
    assert found.completeness_error < 1e-3 * np.abs(found.atoms).sum() + 1e-5
    assert (found.target, found.unit) == ("gap", "eV")


def test_a_network_of_geometries_is_given_one_where_that_is_asked_for():
    predictor = untrained("painn", "given", "homo")
    with pytest.raises(InputError, match="--embed"):
        explain(predictor, "CCO", "homo")
    found = explain(predictor.embedding(), "CCO", "homo")
    assert np.isfinite([*found.atoms, *found.masked, found.value]).all()
    assert predictor.embedding().predict(["CCO"]).mean[0, 0] == pytest.approx(found.value)


def test_the_page_shows_every_molecule_and_the_table_every_atom(tmp_path):
    bundle = tmp_path / "bundle.tenfold"
    untrained("dmpnn", "none", "homo", "gap").bundle({}, "").write(bundle)
    page = explain_molecules(bundle, ["CCO", "CN"], tmp_path / "out", ["gap"])
    text = page.read_text()
    assert text.count("<img ") == 4
    assert "CCO" in text
    with (tmp_path / "out" / "attributions.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert {row["target"] for row in rows} == {"gap"}
    assert sum(row["part"] == "atom" for row in rows) == 9 + 7
    assert sum(row["part"] == "bond" for row in rows) == 8 + 6


@pytest.mark.parametrize(
    ("smiles", "target", "said"), [("CCO", "colour", "homo"), ("C(C)(C)(C)(C)C", "homo", "valence")]
)
def test_what_cannot_be_explained_leaves_nothing(tmp_path, smiles, target, said):
    bundle = tmp_path / "bundle.tenfold"
    untrained("dmpnn", "none", "homo").bundle({}, "").write(bundle)
    with pytest.raises(InputError, match=said):
        explain_molecules(bundle, [smiles], tmp_path / "out", [target])
    assert not (tmp_path / "out").exists()


def test_hostile_molecules_cost_their_own_place_alone(tmp_path):
    bundle = tmp_path / "bundle.tenfold"
    untrained("dmpnn", "none", "homo", max_atoms=4000).bundle({}, "").write(bundle)
    hostile = {
        knot(3000): "did not end within 2 s",
        "C" * 10**6: "1,000,000 characters, more than 4,000 atoms can need",
        "C" * 10**4: "10,000 atoms, more than max_atoms 4,000",
        "C(" * 9000: "not a SMILES",
        "C(C)(C)(C)(C)C": "Explicit valence for atom # 0 C, 5, is greater than permitted",
        "CC\x1b[31mO": "not a SMILES",
    }
    page = explain_molecules(bundle, [*hostile, "CCO", "CCO"], tmp_path / "out", seconds=2.0)
    assert page.read_text().count("<img ") == 2
    assert "Not explained: 1,000,000 characters" in page.read_text()
    assert page.stat().st_size < 100_000
    longest = csv.field_size_limit(10**7)
    try:
        with (tmp_path / "out" / "attributions.csv").open(newline="") as opened:
            rows = list(csv.DictReader(opened))
    finally:
        csv.field_size_limit(longest)
    assert {row["smiles"]: row["problem"] for row in rows if row["problem"]} == hostile
    assert {row["smiles"] for row in rows if not row["problem"]} == {"CCO"}


def test_a_drawing_that_takes_too_long_is_said_and_the_next_one_is_drawn():
    chain, ethanol = Chem.MolFromSmiles("C" * 2000), Chem.MolFromSmiles("CCO")
    tasks = [(mol, "words", np.zeros(mol.GetNumAtoms()), np.zeros(mol.GetNumBonds())) for mol in (chain, ethanol)]
    first, second = drawings(tasks, 0.5)
    assert first == "the drawing did not end within 0.5 s"
    assert isinstance(second, Picture)
