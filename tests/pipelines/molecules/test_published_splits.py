"""Published splits, in files or in a column, are used and never pooled silently."""

import dataclasses

import numpy as np
import pytest
from tests.formats.molecules import CONFIG, SMILES, rejected, write_csv

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.splits import draw_validation, parse_folds, split_from_name

PARTS = {"train": SMILES[:14], "valid": SMILES[14:18], "test": SMILES[18:]}
ALL = ("train", "validation", "test")


def write_parts(folder, parts=PARTS):
    folder.mkdir(exist_ok=True)
    return [
        write_csv(folder / f"{name}.csv", [(smiles, n) for n, smiles in enumerate(smiles_of_part)])
        for name, smiles_of_part in parts.items()
    ]


def sides(folder) -> list[set[str]]:
    """Set of molecules of each split."""
    shards = MoleculeShards.open(folder)
    return [set(shards.smiles(shards.split(name))) for name in ALL]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.csv", "train"), ("data/esol_valid.csv.gz", "validation"), ("a.tar/val/1.xyz", "validation"),
        ("MoleculeACE-TEST.csv", "test"), ("train_300K.xyz", "train"), ("test_MD_600K.xyz", "test"),
        ("train/mol.sdf", "train"), ("latest.csv", ""), ("train_test.csv", ""), ("contest/m.csv", ""), ("m.csv", ""),
    ],
)  # fmt: skip
def test_the_split_is_read_from_the_file_name(name, split):
    assert split_from_name(name) == split


@pytest.mark.parametrize("source", ["folder", "paths"])
def test_files_of_a_published_split_are_used(tmp_path, source):
    paths = write_parts(tmp_path / "m")
    sources = [tmp_path / "m"] if source == "folder" else paths
    summary = ingest_molecules(sources, tmp_path / "data", CONFIG)
    assert sides(tmp_path / "data") == [set(PARTS[name]) for name in ("train", "valid", "test")]
    assert summary.notes == ("Split by the names of the files.",)
    assert "Split by the names of the files." in str(summary)
    again = ingest_molecules(sources, tmp_path / "data", CONFIG)
    assert (again.new_shards, again.notes) == (0, summary.notes)


def test_a_test_molecule_in_the_training_file_is_excluded_from_training(tmp_path):
    write_parts(tmp_path / "m", {**PARTS, "train": (*PARTS["train"], SMILES[20])})
    ingest_molecules([tmp_path / "m"], tmp_path / "data", CONFIG)
    assert SMILES[20] in sides(tmp_path / "data")[2]
    assert rejected(tmp_path / "data") == [
        ("train.csv", 16, SMILES[20], "the same molecule is in the validation or test split")
    ]


def test_geometries_of_one_molecule_are_never_in_two_splits(tmp_path):
    write_parts(tmp_path / "m", {"train": [SMILES[3]] * 4, "test": [SMILES[3]] * 2})
    with pytest.raises(
        InputError, match=r"all 4 of the training split are also in the validation or test split. All geom"
    ):
        ingest_molecules([tmp_path / "m"], tmp_path / "data", CONFIG)
    with pytest.raises(InputError, match=r"1 molecule cannot be split .* All geometries of a molecule stay in one"):
        ingest_molecules([tmp_path / "m" / "train.csv"], tmp_path / "data 2", CONFIG)


def test_a_missing_validation_file_is_drawn_from_training_and_reported(tmp_path):
    write_parts(tmp_path / "m", {"train": SMILES[:18], "test": SMILES[18:]})
    summary = ingest_molecules([tmp_path / "m"], tmp_path / "data", CONFIG)
    train, validation, test = sides(tmp_path / "data")
    assert (train | validation, test) == (set(SMILES[:18]), set(SMILES[18:]))
    assert validation
    assert summary.notes[1] == (
        f"The published split has no validation set: {len(validation)} of its training molecules were drawn for it at "
        "random."
    )


def test_a_drawn_validation_split_has_its_fraction_and_keeps_the_test_split():
    split = np.array([0] * 900 + [2] * 100, np.int8)
    drawn = draw_validation(split, [f"KEY{n}" for n in range(1000)], (0.8, 0.1, 0.1), 0)
    assert (drawn[900:] == 2).all()
    assert abs((drawn == 1).sum() - 100) < 30
    np.testing.assert_array_equal(draw_validation(drawn, ["K"] * 1000, (0.8, 0.1, 0.1), 0), drawn)


def test_a_file_outside_the_published_split_is_refused(tmp_path):
    write_parts(tmp_path / "m", {**PARTS, "extra": SMILES[:2]})
    with pytest.raises(
        InputError, match=r"extra.csv: the file name states no split, but that of .*csv does. .*--split random"
    ):
        ingest_molecules([tmp_path / "m"], tmp_path / "data", CONFIG)


def test_files_are_pooled_for_a_random_split(tmp_path):
    write_parts(tmp_path / "m")
    summary = ingest_molecules([tmp_path / "m"], tmp_path / "data", dataclasses.replace(CONFIG, split="random"))
    assert summary.notes == (
        "The file names state a split, which is not used; the molecules are split by method random.",
    )
    assert sides(tmp_path / "data")[2] != set(PARTS["test"])


def test_files_of_one_split_or_none_are_split_at_random(tmp_path):
    for parts in ({"train_1": SMILES[:12], "train_2": SMILES[12:]}, {"a": SMILES[:12], "b": SMILES[12:]}):
        folder = tmp_path / next(iter(parts))
        write_parts(folder, parts)
        summary = ingest_molecules([folder], tmp_path / f"data {folder.name}", CONFIG)
        assert summary.notes == ()
        assert min(summary.sizes.values()) > 0


def test_a_published_split_column_is_used_and_reported(tmp_path):
    words = ["train"] * 14 + ["test"] * 10  # as MoleculeACE has it
    table = write_csv(tmp_path / "m.csv", [(SMILES[n], n, words[n]) for n in range(24)], ("smiles", "y", "split"))
    summary = ingest_molecules([table], tmp_path / "data", CONFIG)
    train, validation, test = sides(tmp_path / "data")
    assert (train | validation, test) == (set(SMILES[:14]), set(SMILES[14:]))
    assert summary.notes[0] == "Split by column 'split'."
    assert summary.notes[1].startswith("The published split has no validation set:")
    anew = ingest_molecules([table], tmp_path / "anew", dataclasses.replace(CONFIG, split="random"))
    assert anew.notes == ()


def test_numbered_folds_must_be_assigned(tmp_path):
    table = write_csv(tmp_path / "m.csv", [(SMILES[n], n, n % 5) for n in range(24)], ("smiles", "y", "cv_fold"))
    with pytest.raises(InputError, match=r"column 'cv_fold' numbers folds \(0, 1, 2, 3, 4\). Choose the test folds: "):
        ingest_molecules([table], tmp_path / "data", CONFIG)
    column = dataclasses.replace(CONFIG, split="column", split_column="cv_fold")
    with pytest.raises(InputError, match="split '0' is not train, validation or test; set test_folds"):
        ingest_molecules([table], tmp_path / "data", column)
    ingest_molecules([table], tmp_path / "data", dataclasses.replace(column, test_folds=(4,), validation_folds=("3",)))
    assert sides(tmp_path / "data") == [
        {SMILES[n] for n in range(24) if n % 5 < 3}, {SMILES[n] for n in range(24) if n % 5 == 3},
        {SMILES[n] for n in range(24) if n % 5 == 4},
    ]  # fmt: skip


def test_folds_are_numbers_or_words_but_not_blank():
    folds = parse_folds((4,), ("b",))
    assert [folds.split(text) for text in ("4", "4.0", " b ", "0", "c")] == [
        "test", "test", "validation", "train", "train",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no fold"):
        folds.split(" ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_folds": (1,)}, "test_folds, validation_folds: only valid with split column"),
        (
            {"split": "column", "split_column": "f", "test_folds": (1,), "validation_folds": ("1",)},
            "validation_folds: found .* which overlaps with test_folds",
        ),
    ],
)
def test_invalid_folds_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)
