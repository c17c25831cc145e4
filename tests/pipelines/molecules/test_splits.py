import dataclasses

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.ML.Cluster import Butina
from tests.formats.molecules import CONFIG, SMILES, rejected, write_csv, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.similarity import butina_clusters, nearest_similarity
from tenfold.pipelines.molecules.splits import group_split, published_split, random_split

EIGHTY = (0.8, 0.1, 0.1)


def test_a_random_split_depends_only_on_the_molecule():
    keys = [f"KEY{n}" for n in range(1000)]
    split = random_split(keys, EIGHTY, 0)
    np.testing.assert_array_equal(random_split(keys[::-1], EIGHTY, 0), split[::-1])
    np.testing.assert_array_equal(random_split(keys[:400], EIGHTY, 0), split[:400])
    assert abs(np.bincount(split) - [800, 100, 100]).max() < 40
    assert (random_split(keys, EIGHTY, 1) != split).any()


def test_no_group_is_in_two_splits_and_fractions_are_met():
    rng = np.random.default_rng(0)
    groups = [f"g{n}" for n in rng.geometric(0.05, 1000)]
    keys = [f"KEY{n}" for n in range(1000)]
    split = group_split(groups, keys, EIGHTY, 3)
    assert all(len(set(split[np.array(groups) == name])) == 1 for name in set(groups))
    assert abs(np.bincount(split) - [800, 100, 100]).max() <= 20
    np.testing.assert_array_equal(group_split(groups, keys, EIGHTY, 3), split)


def test_a_group_too_large_for_the_test_split_is_training():
    groups = ["benzene"] * 60 + [f"g{n}" for n in range(40)]
    for seed in range(20):
        assert not group_split(groups, [str(n) for n in range(100)], EIGHTY, seed)[:60].any()


def test_groups_that_share_a_molecule_are_merged():
    groups, keys = ["a", "b", "b", "c", "d", "e"], ["1", "1", "2", "2", "3", "4"]
    for seed in range(20):
        assert len(set(group_split(groups, keys, (0.5, 0.25, 0.25), seed)[:4])) == 1


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match="1 groups of molecules cannot be split into train, validation, test"):
        group_split(["a"] * 9, [str(n) for n in range(9)], EIGHTY, 0)


def test_copies_of_test_molecules_are_excluded_from_training():
    split = published_split(["train", "test", "train", "validation", "validation"], ["A", "A", "B", "A", "B"])
    np.testing.assert_array_equal(split, [-1, 2, -1, -1, 1])


def test_other_smiles_of_a_molecule_are_in_the_same_split(tmp_path):
    rows = []
    for smiles in SMILES:
        mol = Chem.MolFromSmiles(smiles)
        rows += [(Chem.MolToRandomSmilesVect(mol, 3, randomSeed=7)[n], len(rows)) for n in range(3)]
    table = write_csv(tmp_path / "m.csv", rows)
    for split in ("random", "scaffold", "butina"):
        out = tmp_path / split
        summary = ingest_molecules([table], out, dataclasses.replace(CONFIG, split=split, fractions=(0.6, 0.2, 0.2)))
        assert summary.duplicates == 2 * len(SMILES)
        shards = MoleculeShards.open(out)
        sides = [set(shards.inchikeys(shards.split(name))) for name in ("train", "validation", "test")]
        assert all(sides)
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]


def test_scaffolds_never_cross_a_scaffold_split(tmp_path):
    rings = [
        "c1ccccc1",
        "c1ccncc1",
        "C1CCCCC1",
        "C1CCNCC1",
        "c1ccoc1",
        "c1ccsc1",
        "C1CCC1",
        "C1CC1",
        "C1CCOC1",
        "C1CCCC1",
    ]
    rows = [(f"{'C' * n}{ring}", n) for ring in rings for n in range(1, 5)]
    table = write_csv(tmp_path / "m.csv", rows)
    ingest_molecules([table], tmp_path / "data", dataclasses.replace(CONFIG, split="scaffold"))
    shards = MoleculeShards.open(tmp_path / "data")
    of = {name: {s.lstrip("C") for s in shards.smiles(shards.split(name))} for name in ("train", "validation", "test")}
    assert [len(scaffolds) for scaffolds in of.values()] == [8, 1, 1]
    assert len(set.union(*of.values())) == 10


def test_the_split_is_read_from_a_column(tmp_path):
    words = ["train", "Training", "valid", "val", "test", "holdout", "tset"]
    rows = [(SMILES[n], n, word) for n, word in enumerate(words)] + [(SMILES[4], 9, "train")]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", "y", "fold"))
    config = dataclasses.replace(CONFIG, split="column", split_column="fold")
    ingest_molecules([table], tmp_path / "data", config)
    shards = MoleculeShards.open(tmp_path / "data")
    splits = [shards.smiles(shards.split(name)) for name in ("train", "validation", "test")]
    assert splits == [list(SMILES[:2]), list(SMILES[2:4]), list(SMILES[4:6])]
    assert rejected(tmp_path / "data") == [
        ("m.csv", 8, SMILES[6], "split 'tset' is not train, validation or test"),
        ("m.csv", 9, SMILES[4], "the same molecule is in the validation or test split"),
    ]


def test_butina_clusters_hold_the_neighbours_of_a_centroid():
    alkanes, phenols = ["C" * n for n in range(8, 12)], ["Oc1ccccc1", "Oc1ccccc1C", "Oc1ccccc1CC"]
    clusters = butina_clusters(morgan_fingerprints([*alkanes, *phenols]), 0.4).tolist()
    assert len(set(clusters[:4])) == 1
    assert not set(clusters[:4]) & set(clusters[4:])


def test_butina_clusters_agree_with_rdkit():
    molecules = morgan_fingerprints(SMILES)
    bits = [DataStructs.CreateFromBinaryText(fingerprint.tobytes()) for fingerprint in molecules]
    for similarity in (0.2, 0.3, 0.5):
        apart = [1 - value for n in range(len(bits)) for value in DataStructs.BulkTanimotoSimilarity(bits[n], bits[:n])]
        rdkit = Butina.ClusterData(apart, len(bits), 1 - similarity, isDistData=True)
        clusters = butina_clusters(molecules, similarity)
        sizes = [sorted(np.unique(clusters, return_counts=True)[1]), sorted(map(len, rdkit))]
        assert sizes[0] == sizes[1]


def test_nearest_similarity_is_the_largest_tanimoto():
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [morgan.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in SMILES]
    whole = np.array([DataStructs.BulkTanimotoSimilarity(fingerprint, bits) for fingerprint in bits])
    np.testing.assert_allclose(nearest_similarity(SMILES[:8], SMILES[8:]), whole[:8, 8:].max(axis=1), rtol=1e-6)


def test_near_duplicates_of_training_molecules_are_reported_as_leakage(tmp_path):
    rows = [(smiles, 1, "train") for smiles in SMILES] + [("CCCCCCCCC", 1, "test"), ("FC#CBr", 1, "test")]
    rows += [("CCCF", 1, "val")]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", "y", "fold"))
    config = dataclasses.replace(CONFIG, split="column", split_column="fold")
    leakage = ingest_molecules([table], tmp_path / "data", config).leakage
    assert leakage is not None
    assert (leakage.test, leakage.identical) == (2, 0.5)
    shards = MoleculeShards.open(tmp_path / "data")
    near = shards.similarity(shards.split("test"))
    assert near[0] == 1
    assert near[1] < 0.4
    assert np.isnan(shards.similarity(shards.split("train"))).all()


def test_a_split_does_not_depend_on_the_order_of_the_rows(tmp_path):
    write_table(tmp_path / "m.csv")
    write_csv(tmp_path / "r.csv", [(smiles, n) for n, smiles in reversed(list(enumerate(SMILES)))])
    test_splits = []
    for name in ("m", "r"):
        config = dataclasses.replace(CONFIG, split="scaffold")
        ingest_molecules([tmp_path / f"{name}.csv"], tmp_path / name, config)
        shards = MoleculeShards.open(tmp_path / name)
        test_splits.append(sorted(shards.smiles(shards.split("test"))))
    assert test_splits[0] == test_splits[1]
