"""Predictions for files of users: every row of the input is a row of the output, with all of its cells."""

import csv
from pathlib import Path
from typing import Literal

import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor
from tests.formats.molecules import HOSTILE, SMILES, write_extended_xyz, write_qm9, write_sdf

from tenfold.emulators.mpnn import MPNN
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.input_columns import MAX_COLUMNS
from tenfold.pipelines.predictor.predict import BLOCK, PredictionSummary, predict_molecules
from tenfold.pipelines.predictor.predictor import MoleculePredictor

pytestmark = pytest.mark.slow

PREDICTED_COLUMNS = ["logp_pred", "logp_unc", "rings_pred", "rings_unc", "problem"]


def write_bundle(path: Path, network: Literal["dmpnn", "painn"], featuriser: Featuriser) -> Path:
    """Write an untrained predictor of two properties."""
    architecture = MPNN(network=network, hidden=16, depth=2, dense_units=(8,))
    targets = tuple(Target(name=name, unit="") for name in ("logp", "rings"))
    config = PredictorConfig(architecture=architecture, featuriser=featuriser, kind="regression", targets=targets)
    MoleculePredictor(config.network(seed=1), config).bundle({}, "").write(path)
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("flat") / "bundle.tenfold", "dmpnn", Featuriser(max_atoms=4000))


@pytest.fixture(scope="module")
def bundle_3d(tmp_path_factory) -> Path:
    featuriser = Featuriser(features="gilmer", hydrogens=True, geometry="given")
    return write_bundle(tmp_path_factory.mktemp("solid") / "bundle.tenfold", "painn", featuriser)


def predicted(bundle: Path, source: Path, **options) -> tuple[PredictionSummary, list[list[str]]]:
    """Return the summary of a prediction and the rows of its table."""
    out = source.with_name("predicted.csv")
    summary = predict_molecules(bundle, source, out, **options)
    longest = csv.field_size_limit(10**7)
    try:
        with out.open(newline="", encoding="utf-8") as opened:
            return summary, list(csv.reader(opened))
    finally:
        csv.field_size_limit(longest)


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("good", [0, 3, BLOCK])
def test_every_row_of_a_block_of_unusable_rows_has_a_problem(bundle, tmp_path, good):
    smiles = ["CCO"] * good + ["nonsense"] * (BLOCK + 5)
    summary, (header, *rows) = predicted(bundle, table(tmp_path / "m.csv", "\n".join(["smiles", *smiles]) + "\n"))
    assert header == ["smiles", *PREDICTED_COLUMNS]
    assert [row[0] for row in rows] == smiles
    assert [bool(row[1]) for row in rows] == [True] * good + [False] * (BLOCK + 5)
    assert {row[-1] for row in rows[good:]} == {"not a SMILES"}
    assert (summary.molecules, summary.unreadable) == (len(smiles), BLOCK + 5)


def test_a_table_without_rows_gives_a_table_without_rows(bundle, tmp_path):
    summary, rows = predicted(bundle, table(tmp_path / "m.csv", "id,smiles\n"))
    assert rows == [["id", "smiles", *PREDICTED_COLUMNS]]
    assert (summary.molecules, summary.unreadable) == (0, 0)
    with pytest.raises(InputError, match="nothing"):
        predicted(bundle, table(tmp_path / "m.csv", ""))


def test_smiles_for_a_network_of_given_coordinates_report_what_is_missing(bundle_3d, tmp_path):
    source = table(tmp_path / "m.csv", "smiles\n" + "\n".join(SMILES[:4]) + "\n")
    _, (_, *rows) = predicted(bundle_3d, source)
    assert [row[0] for row in rows] == list(SMILES[:4])
    assert {row[-1] for row in rows} == {"no coordinates given: add --embed to generate them"}
    _, (_, *rows) = predicted(bundle_3d, source, embed=True)
    assert all(row[1] and not row[-1] for row in rows)


def test_2d_coordinates_for_a_network_of_given_coordinates_report_the_remedy(bundle_3d, tmp_path):
    source = tmp_path / "m.sdf"
    mol = Chem.MolFromSmiles("CCO")
    rdDepictor.Compute2DCoords(mol)
    source.write_text(f"{Chem.MolToMolBlock(mol)}$$$$\n")
    _, (_, row) = predicted(bundle_3d, source)
    assert "2D" in row[-1]
    assert "(add --embed)" in row[-1]
    _, (_, row) = predicted(bundle_3d, source, embed=True)
    assert row[1]
    assert not row[-1]


def test_a_prediction_interrupted_between_blocks_ends_with_the_same_bytes(bundle, tmp_path, monkeypatch):
    smiles = [*SMILES * 25, *["nonsense"] * BLOCK, *SMILES * 25]
    source = table(tmp_path / "m.csv", "\n".join(["smiles", *smiles]) + "\n")
    summary, _ = predicted(bundle, source)
    expected = summary.path.read_bytes()
    summary.path.unlink()
    predict_graphs, calls = MoleculePredictor.predict_graphs, []

    def killed_at_the_third(self, graphs):
        calls.append(len(graphs))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict_graphs(self, graphs)

    monkeypatch.setattr(MoleculePredictor, "predict_graphs", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        predicted(bundle, source)
    assert not summary.path.exists()
    again, _ = predicted(bundle, source)
    assert summary.path.read_bytes() == expected
    assert calls == [512, 88, 424, 424, 176]  # the second block is not predicted again, the third is
    assert again.molecules == len(smiles)
    assert again.unreadable == BLOCK


def test_columns_are_copied_by_position(bundle, tmp_path):
    """Excel leaves trailing commas, pandas writes an index without a name, and names may be repeated."""
    source = table(tmp_path / "m.csv", ",smiles,y,y,,\n0,CCO,1,2,,\n1,CCN,3,4,,x\n")
    _, (header, *rows) = predicted(bundle, source)
    assert header == ["", "smiles", "y", "y", "", "", *PREDICTED_COLUMNS]
    assert [row[:6] for row in rows] == [["0", "CCO", "1", "2", "", ""], ["1", "CCN", "3", "4", "", "x"]]
    assert all(row[6] and not row[-1] for row in rows)


def test_columns_with_the_names_of_predictions_are_kept_and_reported(bundle, tmp_path):
    source = table(tmp_path / "m.csv", "smiles,logp_pred,problem,logp_pred_2\nCCO,1,none,5\nC1,2,many,6\n")
    summary, (header, *rows) = predicted(bundle, source)
    assert header == [
        *("smiles", "logp_pred", "problem", "logp_pred_2"),
        *("logp_pred_3", "logp_unc", "rings_pred", "rings_unc", "problem_2"),
    ]
    assert [row[:4] for row in rows] == [["CCO", "1", "none", "5"], ["C1", "2", "many", "6"]]
    assert rows[1][4:] == ["", "", "", "", "not a SMILES"]
    assert "renamed: logp_pred to logp_pred_3, problem to problem_2" in str(summary)
    assert "see column problem_2" in str(summary)


def test_rows_of_a_wrong_length_keep_their_cells(bundle, tmp_path):
    source = table(tmp_path / "m.csv", "id,smiles,y\na,CCO,1\nb,CCN\nc,CCC,3,more,still\nd\ne,CCF,5\n")
    summary, (_, *rows) = predicted(bundle, source)
    assert [row[:3] for row in rows] == [
        *(["a", "CCO", "1"], ["b", "CCN", ""], ["c", "CCC", "3"], ["d", "", ""], ["e", "CCF", "5"])
    ]
    assert [row[-1] for row in rows] == [
        "",
        "2 fields where the header has 3",
        "5 fields where the header has 3; surplus fields: 'more', 'still'",
        "1 fields where the header has 3",
        "",
    ]
    assert summary.unreadable == 3


def test_cells_are_copied_unchanged(bundle, tmp_path):
    cells = ["=1+1", "@x", "-1.5", " spaced ", 'a "quote"', "a,b", "two\nlines", "µ", "'="]
    with (tmp_path / "m.csv").open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([["note", "smiles"], *([cell, "CCO"] for cell in cells)])
    _, (_, *rows) = predicted(bundle, tmp_path / "m.csv")
    assert [row[0] for row in rows] == cells


def test_data_items_of_all_records_of_an_sd_file_are_columns(bundle, tmp_path):
    source = write_sdf(tmp_path / "m.sdf", SMILES[:3])
    text = source.read_text().split("$$$$\n")
    text[1] += ">  <molecule>\nmine\n\n>  <note>\n=two\nlines\n\n"
    source.write_text("$$$$\n".join(text))
    _, (header, *rows) = predicted(bundle, source)
    assert header == ["molecule_2", "y", "molecule", "note", *PREDICTED_COLUMNS]
    assert [row[:4] for row in rows] == [
        *(["mol_0", "0", "", ""], ["mol_1", "1", "mine", "=two\nlines"], ["mol_2", "2", "", ""])
    ]
    assert all(row[4] and not row[-1] for row in rows)


def test_an_sd_file_with_a_new_item_in_every_record_is_refused(bundle, tmp_path):
    record = Chem.MolToMolBlock(Chem.MolFromSmiles("C"))
    source = tmp_path / "m.sdf"
    source.write_text("".join(f"{record}>  <item {n}>\n{n}\n\n$$$$\n" for n in range(MAX_COLUMNS + 1)))
    with pytest.raises(InputError, match="more than 1,000 different data items"):
        predicted(bundle, source)
    assert [path.name for path in tmp_path.iterdir()] == ["m.sdf"]


def test_comments_and_keys_of_xyz_frames_are_copied_unchanged(bundle_3d, tmp_path):
    source = write_extended_xyz(tmp_path / "m.xyz", SMILES[:3])
    long = f'note="{"a long remark " * 12}" y=1'
    source.write_text(source.read_text().replace("y=1 ", f"{long} "))
    _, (header, *rows) = predicted(bundle_3d, source)
    assert header == ["molecule", "comment", "smiles", "y", "pbc", "note", *PREDICTED_COLUMNS]
    assert [row[0] for row in rows] == list(SMILES[:3])
    assert rows[1][1] == f'Properties=species:S:1:pos:R:3 smiles="CC" {long} pbc="F F F"'
    assert rows[1][5] == "a long remark " * 12
    assert [row[3] for row in rows] == ["0", "1", "2"]
    assert all(row[6] and not row[-1] for row in rows)


def test_an_xyz_frame_that_cannot_be_read_keeps_its_comment(bundle_3d, tmp_path):
    comment = "remark " * 30
    _, (header, row) = predicted(bundle_3d, table(tmp_path / "m.xyz", f"1\n{comment}\nQ 0 0 0\n"))
    assert header[:2] == ["molecule", "comment"]
    assert row[:2] == [comment.strip(), comment]
    assert row[-1] == "unknown element 'Q'"


def test_properties_of_qm9_are_columns(bundle_3d, tmp_path):
    source = write_qm9(tmp_path / "qm9") / "dsgdb9nsd_000002.xyz"
    _, (header, row) = predicted(bundle_3d, source)
    about = dict(zip(header, row, strict=True))
    assert (about["molecule"], about["mol_id"], about["mu"]) == ("N", "gdb_2", "1.6256")
    assert about["comment"].startswith("gdb 2\t293.60975\t293.54111")


def test_hostile_rows_do_not_affect_the_others(bundle, tmp_path):
    hostile = {
        **HOSTILE,
        "C" * 10**5: "100,000 characters, too long for 4,000 atoms",
        "C%(99999)C": "not a SMILES",
        "[#6;R2;$(C=O)]~*": "not a SMILES",
        ("." * 5000): "not a SMILES",
    }
    smiles = [molecule for bad in hostile for molecule in (bad, "CCO")]
    summary, (_, *rows) = predicted(
        bundle, table(tmp_path / "m.csv", "\n".join(["smiles", *smiles]) + "\n"), seconds=2.0
    )
    assert [row[0] for row in rows] == smiles
    assert {row[0]: row[-1] for row in rows if row[-1]} == hostile
    assert len({tuple(row[1:]) for row in rows if not row[-1]}) == 1
    assert summary.unreadable == len(hostile)


def test_a_reason_is_not_a_formula(bundle, tmp_path):
    _, (_, row) = predicted(bundle, table(tmp_path / "m.csv", "smiles\n=cmd|' /C calc'!A0\n"))
    assert row[0] == "=cmd|' /C calc'!A0"
    assert row[-1] == "not a SMILES"


@pytest.mark.parametrize("name", ["table.csv", "thesis.csv"])
def test_a_file_of_the_user_is_not_overwritten(bundle, tmp_path, name):
    (tmp_path / "table.csv").write_text("smiles\nCCO\n")
    (tmp_path / "thesis.csv").write_text("smiles,logp\nCCO,1\n")
    before = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match=f"{name}: .* would be overwritten"):
        predict_molecules(bundle, tmp_path / "table.csv", tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    predict_molecules(bundle, tmp_path / "table.csv", tmp_path / "out.csv")
    first = (tmp_path / "out.csv").read_bytes()
    (tmp_path / "..out.csv.state.0123456789ab.part").write_text("half")
    (tmp_path / ".mine.part").write_text("mine")
    predict_molecules(bundle, tmp_path / "table.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == first
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "thesis.csv", "out.csv", ".mine.part"}
