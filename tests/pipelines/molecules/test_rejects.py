import dataclasses
import random

import pytest
from rdkit import Chem
from tests.formats.molecules import HERE, SMILES, rejected, write_csv

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards


def knot(atoms: int) -> str:
    """A ring of carbon atoms, each bound to another one across by chance: hundreds of rings through each other."""
    ends = list(range(atoms))
    random.Random(0).shuffle(ends)
    while any(abs(a - b) in (1, atoms - 1) for a, b in zip(ends[::2], ends[1::2], strict=True)):
        random.Random(len(ends)).shuffle(ends)
        ends.append(ends.pop(0))
    chord = {atom: number for number, pair in enumerate(zip(ends[::2], ends[1::2], strict=True)) for atom in pair}
    return "".join(f"C%({chord[atom] + 100})" for atom in range(atoms))


def test_a_molecule_that_hangs_or_is_enormous_is_rejected_and_its_neighbours_are_not(tmp_path):
    rows = [(smiles, 1) for smiles in SMILES]
    rows[5:5] = [(knot(3000), 1), ("C" * 5000, 1), ("C" * 10**5, 1), (f"[{'9' * 30}C]", 1)]
    config = dataclasses.replace(HERE, max_atoms=4000, seconds_per_molecule=2)
    ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", config)
    with MoleculeShards.open(tmp_path / "data") as shards:
        assert shards.smiles(range(len(shards))) == list(SMILES)
    found = rejected(tmp_path / "data")
    assert [(line, reason) for _, line, _, reason in found] == [
        (7, "did not end within 2 s"),
        (8, "5,000 atoms, more than max_atoms 4,000"),
        (9, "100,000 characters, more than 4,000 atoms can need"),
        (10, "not a SMILES"),
    ]
    assert all(len(text) <= 200 for *_, text, _ in found)


def test_too_many_bad_rows_end_the_run_and_are_listed(tmp_path):
    table = write_csv(tmp_path / "m.csv", [("CCO", 1), ("nonsense", 2), ("c1", 3)])
    with pytest.raises(InputError, match=r"2 of 3 molecules cannot be used.*line 3: not a SMILES.*rejected.csv"):
        ingest_molecules([table], tmp_path / "data", HERE)
    assert [line for _, line, *_ in rejected(tmp_path / "data")] == [3, 4]
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_a_row_mended_is_taken_in(tmp_path):
    rows = [(smiles, 1) for smiles in SMILES]
    table = write_csv(tmp_path / "m.csv", [*rows, ("CC(C", 1)])
    assert ingest_molecules([table], tmp_path / "data", HERE).rejected == 1
    write_csv(table, [*rows, ("CC(C)C", 1)])
    assert ingest_molecules([table], tmp_path / "data", HERE).rejected == 0
    assert not rejected(tmp_path / "data")


def test_a_field_longer_than_a_table_can_have_is_one_bad_row(tmp_path):
    (tmp_path / "m.csv").write_text(
        "smiles,y\n" + "".join(f"{s},1\n" for s in SMILES) + '"' + "C" * 200_000 + '",1\nCCF,2\n'
    )
    ingest_molecules([tmp_path / "m.csv"], tmp_path / "data", HERE)
    ((_, line, _, reason),) = rejected(tmp_path / "data")
    assert line == len(SMILES) + 2
    assert "field larger than field limit" in reason


def test_labels_that_are_no_classes_are_not_made_classes(tmp_path):
    table = write_csv(tmp_path / "m.csv", [(smiles, n) for n, smiles in enumerate(SMILES)])
    config = dataclasses.replace(HERE, kinds={"y": "classification"})
    with pytest.raises(
        InputError, match="target y: has 24 different labels 0, 1, 2, 3, 4, 5, …, and classes are 2 to 20"
    ):
        ingest_molecules([table], tmp_path / "data", config)


@pytest.mark.parametrize(
    ("name", "scale", "unit", "said"),
    [
        ("gap", 0.25, "eV", "gap: its median is 0.25 eV; that would be usual in Ha. Is its unit right?"),
        ("HOMO", -0.25, "Ha", None),
        ("atomisation_energy", -70.0, "eV", "its median by atom is 70 eV; that would be usual in kcal/mol."),
        ("atomisation_energy", -7000.0, "eV", "its median by atom is 7000 eV; that is usual in no unit."),
        ("taste", 0.25, "eV", None),
    ],
)
def test_labels_in_the_wrong_unit_are_doubted(tmp_path, name, scale, unit, said):
    rows = [(smiles, scale * Chem.MolFromSmiles(smiles).GetNumAtoms() ** (scale < -1)) for smiles in SMILES]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", name))
    config = dataclasses.replace(HERE, targets=(name,), units={name: unit})
    doubts = ingest_molecules([table], tmp_path / "data", config)
    assert [said in each for each in doubts.doubts] == ([True] if said else [])


def test_coordinates_are_not_expected_of_a_table(tmp_path):
    table = write_csv(tmp_path / "m.csv", [(smiles, 1) for smiles in SMILES])
    with pytest.raises(InputError, match="line 2: no coordinates given"):
        ingest_molecules([table], tmp_path / "data", dataclasses.replace(HERE, geometry="given"))


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv: there is no such file or folder"):
        ingest_molecules([tmp_path / "nowhere.csv"], tmp_path / "data", HERE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no files of molecules there \(.csv"):
        ingest_molecules([tmp_path / "empty"], tmp_path / "data", HERE)
    table = write_csv(tmp_path / "m.csv", [("C", 1)])
    with pytest.raises(InputError, match=r"labels: found .*none.csv., which is not there"):
        ingest_molecules([table], tmp_path / "data", dataclasses.replace(HERE, labels=str(tmp_path / "none.csv")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fractions": (0.5, 0.5, 0.5)}, "fractions: found"),
        ({"split": "time"}, "split: found 'time', valid are auto, random, scaffold, butina, column"),
        ({"split": "column"}, "split_column: name it with split column"),
        ({"units": {"z": "eV"}}, "found 'z', none of the targets"),
        ({"features": "poor"}, "features: found 'poor', valid are rich, gilmer"),
        ({"geometry": "given", "standardise": True}, "standardise: moves hydrogens"),
        ({"seconds_per_molecule": 0}, "seconds_per_molecule: found 0, valid is above 0"),
        ({"targets": ("y", "y")}, "each may stand there once"),
    ],
)
def test_a_configuration_that_cannot_be_done_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(HERE, **change)
