import dataclasses

import pytest
from rdkit import Chem
from tests.formats.molecules import CONFIG, SMILES, knot, rejected, write_csv

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards


def test_only_molecules_that_hang_or_are_too_large_are_rejected(tmp_path):
    rows = [(smiles, 1) for smiles in SMILES]
    rows[5:5] = [(knot(3000), 1), ("C" * 5000, 1), ("C" * 10**5, 1), (f"[{'9' * 30}C]", 1)]
    config = dataclasses.replace(CONFIG, max_atoms=4000, seconds_per_molecule=2)
    ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", config)
    with MoleculeShards.open(tmp_path / "data") as shards:
        assert shards.smiles(range(len(shards))) == list(SMILES)
    rejects = rejected(tmp_path / "data")
    assert [(line, reason) for _, line, _, reason in rejects] == [
        (7, "did not end within 2 s"),
        (8, "5,000 atoms, more than max_atoms 4,000"),
        (9, "100,000 characters, too long for 4,000 atoms"),
        (10, "not a SMILES"),
    ]
    assert all(len(text) <= 200 for *_, text, _ in rejects)


def test_too_many_rejected_rows_stop_the_run_and_are_listed(tmp_path):
    table = write_csv(tmp_path / "m.csv", [("CCO", 1), ("nonsense", 2), ("c1", 3)])
    with pytest.raises(InputError, match=r"2 of 3 molecules cannot be used.*line 3: not a SMILES.*rejected.csv"):
        ingest_molecules([table], tmp_path / "data", CONFIG)
    assert [line for _, line, *_ in rejected(tmp_path / "data")] == [3, 4]
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_a_corrected_row_is_accepted(tmp_path):
    rows = [(smiles, 1) for smiles in SMILES]
    table = write_csv(tmp_path / "m.csv", [*rows, ("CC(C", 1)])
    assert ingest_molecules([table], tmp_path / "data", CONFIG).rejected == 1
    write_csv(table, [*rows, ("CC(C)C", 1)])
    assert ingest_molecules([table], tmp_path / "data", CONFIG).rejected == 0
    assert not rejected(tmp_path / "data")


def test_an_overlong_field_rejects_one_row(tmp_path):
    (tmp_path / "m.csv").write_text(
        "smiles,y\n" + "".join(f"{s},1\n" for s in SMILES) + '"' + "C" * 200_000 + '",1\nCCF,2\n'
    )
    ingest_molecules([tmp_path / "m.csv"], tmp_path / "data", CONFIG)
    ((_, line, _, reason),) = rejected(tmp_path / "data")
    assert line == len(SMILES) + 2
    assert "field larger than field limit" in reason


def test_too_many_distinct_labels_are_not_classes(tmp_path):
    table = write_csv(tmp_path / "m.csv", [(smiles, n) for n, smiles in enumerate(SMILES)])
    config = dataclasses.replace(CONFIG, kinds={"y": "classification"})
    with pytest.raises(
        InputError, match="target y: has 24 different labels 0, 1, 2, 3, 4, 5, …; a target has 2 to 20 classes"
    ):
        ingest_molecules([table], tmp_path / "data", config)


@pytest.mark.parametrize(
    ("name", "scale", "unit", "warning"),
    [
        ("gap", 0.25, "eV", "gap: its median is 0.25 eV, which is typical of values in Ha. Is its unit right?"),
        ("HOMO", -0.25, "Ha", None),
        ("atomisation_energy", -70.0, "eV", "its median per atom is 70 eV, which is typical of values in kcal/mol."),
        ("atomisation_energy", -7000.0, "eV", "its median per atom is 7000 eV, which is not typical of any unit."),
        ("taste", 0.25, "eV", None),
    ],
)
def test_labels_in_the_wrong_unit_give_a_warning(tmp_path, name, scale, unit, warning):
    rows = [(smiles, scale * Chem.MolFromSmiles(smiles).GetNumAtoms() ** (scale < -1)) for smiles in SMILES]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", name))
    config = dataclasses.replace(CONFIG, targets=(name,), units={name: unit})
    summary = ingest_molecules([table], tmp_path / "data", config)
    assert [warning in doubt for doubt in summary.doubts] == ([True] if warning else [])


def test_given_geometry_is_refused_for_a_table(tmp_path):
    table = write_csv(tmp_path / "m.csv", [(smiles, 1) for smiles in SMILES])
    with pytest.raises(InputError, match="line 2: no coordinates given"):
        ingest_molecules([table], tmp_path / "data", dataclasses.replace(CONFIG, geometry="given"))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv: there is no such file or folder"):
        ingest_molecules([tmp_path / "nowhere.csv"], tmp_path / "data", CONFIG)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no files of molecules found \(.csv"):
        ingest_molecules([tmp_path / "empty"], tmp_path / "data", CONFIG)
    table = write_csv(tmp_path / "m.csv", [("C", 1)])
    with pytest.raises(InputError, match=r"labels: found .*none.csv., which does not exist"):
        ingest_molecules([table], tmp_path / "data", dataclasses.replace(CONFIG, labels=str(tmp_path / "none.csv")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fractions": (0.5, 0.5, 0.5)}, "fractions: found"),
        ({"split": "time"}, "split: found 'time', valid are auto, random, scaffold, butina, column"),
        ({"split": "column"}, "split_column: needed with split column"),
        ({"units": {"z": "eV"}}, "found 'z', which is not one of the targets"),
        ({"features": "poor"}, "features: found 'poor', valid are rich, gilmer"),
        ({"geometry": "given", "standardise": True}, "standardise: it moves hydrogens"),
        ({"seconds_per_molecule": 0}, "seconds_per_molecule: found 0, valid is above 0"),
        ({"targets": ("y", "y")}, "which names a target twice"),
    ],
)
def test_invalid_configurations_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)
