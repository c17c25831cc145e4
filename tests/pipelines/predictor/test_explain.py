"""Attributions of predictions to atoms and bonds, as a user gets them."""

import csv

import numpy as np
import pytest
from rdkit import Chem
from tests.formats.molecules import HOSTILE

from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.drawings import draw_molecules
from tenfold.pipelines.predictor.explain import explain, explain_molecules
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.reports.figures import EmbeddedFigure


def untrained(network: str, geometry: str, *targets: str, max_atoms: int = 1000) -> MoleculePredictor:
    architecture = MPNN(network=network, hidden=16, depth=2, dense_units=(8,))
    featuriser = Featuriser(features="gilmer", hydrogens=True, geometry=geometry, max_atoms=max_atoms)
    named = tuple(Target(name=name, unit="eV") for name in targets)
    config = PredictorConfig(architecture=architecture, featuriser=featuriser, kind="regression", targets=named)
    return MoleculePredictor(config.network(seed=3), config, batch_size=16)


def test_attributions_of_atoms_and_bonds_sum_to_the_prediction():
    explanation = explain(untrained("dmpnn", "none", "homo", "gap"), "CC(=O)O", "gap")
    assert (len(explanation.atoms), len(explanation.bonds), len(explanation.masking)) == (8, 7, 8)
    assert explanation.completeness_error < 1e-3 * np.abs(explanation.atoms).sum() + 1e-5
    assert (explanation.target, explanation.unit) == ("gap", "eV")


def test_a_network_of_given_geometries_gets_a_generated_one_on_request():
    predictor = untrained("painn", "given", "homo")
    with pytest.raises(InputError, match="--embed"):
        explain(predictor, "CCO", "homo")
    explanation = explain(predictor.with_embedding(), "CCO", "homo")
    assert np.isfinite([*explanation.atoms, *explanation.masking, explanation.value]).all()
    assert predictor.with_embedding().predict(["CCO"]).mean[0, 0] == pytest.approx(explanation.value)


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
    ("smiles", "target", "message"), [("CCO", "colour", "homo"), ("C(C)(C)(C)(C)C", "homo", "valence")]
)
def test_nothing_is_written_if_no_molecule_can_be_explained(tmp_path, smiles, target, message):
    bundle = tmp_path / "bundle.tenfold"
    untrained("dmpnn", "none", "homo").bundle({}, "").write(bundle)
    with pytest.raises(InputError, match=message):
        explain_molecules(bundle, [smiles], tmp_path / "out", [target])
    assert not (tmp_path / "out").exists()


def test_hostile_molecules_do_not_affect_the_others(tmp_path):
    bundle = tmp_path / "bundle.tenfold"
    untrained("dmpnn", "none", "homo", max_atoms=4000).bundle({}, "").write(bundle)
    hostile = {
        **HOSTILE,
        "C" * 10**6: "1,000,000 characters, too long for 4,000 atoms",
        "C(C)(C)(C)(C)C": "Explicit valence for atom # 0 C, 5, is greater than permitted",
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


def test_a_drawing_that_exceeds_its_time_is_reported_and_the_next_one_is_drawn():
    chain, ethanol = Chem.MolFromSmiles("C" * 2000), Chem.MolFromSmiles("CCO")
    tasks = [(mol, "words", np.zeros(mol.GetNumAtoms()), np.zeros(mol.GetNumBonds())) for mol in (chain, ethanol)]
    first, second = draw_molecules(tasks, 0.5)
    assert first == "the drawing did not end within 0.5 s"
    assert isinstance(second, EmbeddedFigure)
