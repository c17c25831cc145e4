"""Kind of a target from its labels: classes in any spelling, or numbers, with warnings in doubtful cases."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from tests.formats.molecules import CONFIG, SMILES, rejected, write_csv

from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.classes import MAX_DISTINCT_CELLS, Classes, count_cell, infer_classes
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.manifest import MoleculeManifest
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.training import kind_of
from tenfold.pipelines.studies.chemistry_config import ChemistryRun


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ("0 1 1 0", ("0", "1")),
        ("0.0 1.0 1", ("0", "1")),
        ("0 0 0", ("0", "1")),  # as a rare effect in a small table has it
        ("-1 1 1", ("-1", "1")),
        ("+1 -1 1.0", ("-1", "1")),
        ("2 1 1", ("1", "2")),
        ("active inactive active", ("inactive", "active")),
        ("Active inactive ACTIVE Active", ("inactive", "Active")),
        ("True False False", ("False", "True")),
        ("no yes no", ("no", "yes")),
        ("P N P", ("N", "P")),
        ("toxic safe safe", ("safe", "toxic")),
        ("sweet non-sweet sweet", ("non-sweet", "sweet")),
        ("bitter nonbitter", ("nonbitter", "bitter")),
        ("soluble insoluble", ("insoluble", "soluble")),
        ("BBB+ BBB- BBB+", ("BBB-", "BBB+")),
        ("polar apolar", ("apolar", "polar")),  # nothing is known of these: alphabetical
        ("many one few one", ("few", "many", "one")),
        ("0 1 2 0 1 2", ()),  # counts or classes: never guessed
        ("0.5 1.25 3.75", ()),
        ("0.5 1.25", ()),  # two molecules with two values say nothing
        ("0 1 <5 >10", ("0", "1")),
        ("1.5 2.5 3.5 <5 >10 2±1", ()),
        ("inf nan 1.5 2.5 3.5 -Infinity", ()),
        ("inflamed calm inflamed", ("calm", "inflamed")),
        ("1_0 2 3 4 5 6 7 8 9 10 11", ()),
    ],
)
def test_two_values_and_words_are_classes_and_other_numbers_are_not(labels, names):
    assert infer_classes("y", Counter(labels.split())).names == names


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ("0 1 2 1", ("0", "1", "2")),
        ("10 9 1 9", ("1", "9", "10")),
        ("1 2A 2B 3", ("1", "3", "2A", "2B")),
        ("<10 10-99 >99", ("10-99", "<10", ">99")),
    ],
)
def test_numbers_are_classes_if_the_configuration_says_so(labels, names):
    assert infer_classes("y", Counter(labels.split()), "classification").names == names


def test_two_values_are_numbers_if_the_configuration_says_so_or_has_a_unit():
    assert infer_classes("y", Counter(["-1", "1", "1"]), "regression").names == ()
    assert infer_classes("y", Counter(["-1", "1", "1"]), measured=True).names == ()


def test_few_words_among_numbers_are_ignored_and_many_are_refused():
    assert infer_classes("y", Counter({"0": 50, "1": 45, "unclear": 5})).names == ("0", "1")
    with pytest.raises(InputError, match=r'both words \(unclear\) and numbers \(0, 1\).*\{"y": classification\}'):
        infer_classes("y", Counter({"0": 50, "1": 30, "unclear": 20}))
    assert infer_classes("y", Counter({"0": 5, "1": 3, "no": 2}), "classification").names == ("0", "1", "no")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("Kinase kinase GPCR", "Kinase, kinase differ only in case"),
        ("yes no y n", "n, no, y, yes are different words for yes and no"),
        ("active active", "only the label active"),
        (" ".join(f"name{n}" for n in range(21)), "21 different labels name0, name1, .*Is it the right column"),
    ],
)
def test_invalid_class_labels_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        infer_classes("y", Counter(labels.split()))


def test_all_spellings_of_a_class_have_its_code():
    classes = Classes(("-1", "1"))
    assert [classes.code(cell) for cell in ("-1", " 1.0 ", "+1", "-1.0")] == [0, 1, 1, 0]
    assert np.isnan([classes.code(cell) for cell in ("", "NA", " nan")]).all()
    with pytest.raises(ValueError, match="'0' is not one of the classes -1, 1"):
        classes.code("0")
    with pytest.raises(ValueError, match="'1_0' is not one"):
        Classes(("1", "10")).code("1_0")


def test_the_count_of_distinct_cells_is_bounded():
    cells: Counter[str] = Counter()
    for number in range(10 * MAX_DISTINCT_CELLS):
        count_cell(cells, f"{number / 7}")
    assert len(cells) == MAX_DISTINCT_CELLS


def ingest(tmp_path, labels, out="data", **changes):
    """Ingest two dozen molecules with the labels repeated in turn."""
    table = write_csv(tmp_path / "m.csv", [(smiles, labels[n % len(labels)]) for n, smiles in enumerate(SMILES)])
    return ingest_molecules([table], tmp_path / out, dataclasses.replace(CONFIG, **changes))


@pytest.mark.parametrize(
    "labels", [("-1", "1"), ("inactive", "active"), ("False", "True"), ("no", "Yes"), ("1", "2"), ("0", "1.0")]
)
def test_two_valued_labels_of_any_spelling_are_codes_0_and_1(tmp_path, labels):
    summary = ingest(tmp_path, labels)
    with MoleculeShards.open(tmp_path / "data") as shards:
        np.testing.assert_array_equal(shards.targets(np.arange(24))[:, 0], np.arange(24) % 2)
        (target,) = shards.manifest.targets
    assert (target.kind, target.class_counts, target.labelled) == ("classification", (12, 12), 24)
    first, second = target.classes
    assert (first.lower(), second.lower()) == (labels[0].lower(), labels[1].lower().removesuffix(".0"))
    message = f"y: classification, 24 labels: 12 of class {first}, 12 of class {second}; positive class: {second}"
    assert message in str(summary)


def test_three_words_are_classes_and_none_is_reported_as_missing(tmp_path):
    summary = ingest(tmp_path, ("one", "many", "few", "None"))
    (target,) = summary.targets
    assert (target.classes, target.class_counts, target.labelled) == (("few", "many", "one"), (6, 6, 6), 18)
    assert "'None' (6) count as missing labels" in str(summary)


def test_few_distinct_integers_are_numbers_with_a_warning(tmp_path):
    summary = ingest(tmp_path, (0, 1, 2))
    assert summary.targets[0].kind == "regression"
    assert "y: regression, 24 labels" in str(summary)
    (message,) = summary.doubts
    assert message.startswith("y: its labels are 0 (8), 1 (8), 2 (8) and are treated as numbers (regression).")
    setting = message.split("--set '")[1].split("'")[0]  # what it advises is what works
    advised = load(ChemistryRun, None, None, ("ingest.targets=[y]", setting)).ingest
    summary = ingest(tmp_path, (0, 1, 2), "again", kinds=advised.kinds)
    assert (summary.targets[0].kind, summary.targets[0].classes) == ("classification", ("0", "1", "2"))
    assert not summary.doubts


def test_a_stated_regression_gives_no_warning(tmp_path):
    assert not ingest(tmp_path, (0, 1, 2), kinds={"y": "regression"}).doubts
    assert ingest(tmp_path, (0, 1), "again", kinds={"y": "regression"}).targets[0].kind == "regression"


def test_a_class_that_the_training_split_lacks_is_named(tmp_path):
    labels = ["rare" if n == 5 else ("a", "b")[n % 2] for n in range(24)]
    rows = [
        (smiles, label, "test" if label == "rare" else "train") for smiles, label in zip(SMILES, labels, strict=True)
    ]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", "y", "split"))
    config = dataclasses.replace(CONFIG, split="column", split_column="split")
    summary = ingest_molecules([table], tmp_path / "data", config)
    assert "y: the training split has no molecule of class rare, which cannot be learnt." in summary.doubts


def test_a_word_among_numeric_classes_is_ignored(tmp_path):
    rows: list[tuple] = [(smiles, n % 2) for n, smiles in enumerate(SMILES)]
    rows[3] = (SMILES[3], "unclear")
    summary = ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", CONFIG)
    assert summary.targets[0].labelled == 23
    if summary.rejected:
        assert rejected(tmp_path / "data")[0][3] == "y: 'unclear' is not one of the classes 0, 1"


def test_a_manifest_without_classes_keeps_its_fingerprint(tmp_path):
    ingest(tmp_path, (0, 1))
    path = tmp_path / "data" / "manifest.json"
    before = MoleculeManifest.read(path).fingerprint
    manifest = json.loads(path.read_text())
    for name in ("classes", "class_counts", "labelled"):
        del manifest["targets"][0][name]
    path.write_text(json.dumps(manifest))
    assert MoleculeManifest.read(path).fingerprint == before


def test_regression_and_classification_need_separate_networks(tmp_path):
    rows = [(smiles, n, n % 2) for n, smiles in enumerate(SMILES)]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", "y", "active"))
    ingest_molecules([table], tmp_path / "data", dataclasses.replace(CONFIG, targets=("y", "active")))
    with (
        MoleculeShards.open(tmp_path / "data") as shards,
        pytest.raises(
            InputError,
            match=r"regression targets \(y\) and classification .*\(active\).*separately.*ingest.kinds",
        ),
    ):
        kind_of(shards)
