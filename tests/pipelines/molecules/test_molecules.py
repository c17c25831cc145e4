import dataclasses
import pickle

import numpy as np
import pytest
from tests.formats.molecules import CONFIG, SMILES, rejected, write_csv, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards


def test_shards_return_the_ingested_molecules(tmp_path):
    table = write_table(tmp_path / "m.csv")
    config = dataclasses.replace(CONFIG, records_per_shard=7)
    summary = ingest_molecules([table], tmp_path / "data", config)
    assert (summary.molecules, summary.rejected, summary.new_shards) == (len(SMILES), 0, 4)
    with MoleculeShards.open(tmp_path / "data") as shards:
        everything = np.random.default_rng(0).permutation(len(SMILES))
        assert shards.smiles(everything) == [SMILES[n] for n in everything]
        np.testing.assert_array_equal(shards.targets(everything)[:, 0], everything)
        assert shards.keys(everything) == [(str(table), n + 2) for n in everything]
        whole, reasons = config.featuriser.graphs([SMILES[n] for n in everything])
        assert reasons == [None] * len(SMILES)
        for name, values in vars(shards.graphs(everything)).items():
            np.testing.assert_array_equal(values, getattr(whole, name))
        again = pickle.loads(pickle.dumps(shards))
        np.testing.assert_array_equal(again.graphs([3, 3]).atoms, shards.graphs([3, 3]).atoms)


def test_splits_partition_the_molecules_and_statistics_are_of_training(tmp_path):
    ingest_molecules([write_table(tmp_path / "m.csv")], tmp_path / "data", CONFIG)
    shards = MoleculeShards.open(tmp_path / "data")
    parts = [shards.split(name) for name in ("train", "validation", "test")]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(SMILES)))
    assert [len(part) for part in parts] == list(shards.manifest.sizes.values())
    training = shards.targets(parts[0])[:, 0]
    (target,) = shards.manifest.targets
    assert (target.mean, target.std, target.count) == (training.mean(), training.std(), len(training))


def test_bad_rows_are_rejected_with_line_and_reason(tmp_path):
    rows = [(smiles, n) for n, smiles in enumerate(SMILES)]
    rows[3:3] = [("C(C)(C)(C)(C)C", 1), ("c1cccc", 2), ("", 3), ("CCO", "high"), ("CCO", "inf"), ("CCO", 1, 2)]
    summary = ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", CONFIG)
    assert (summary.molecules, summary.rejected) == (len(SMILES), 6)
    assert rejected(tmp_path / "data") == [
        ("m.csv", 5, "C(C)(C)(C)(C)C", "Explicit valence for atom # 0 C, 5, is greater than permitted"),
        ("m.csv", 6, "c1cccc", "not a SMILES"),
        ("m.csv", 7, "", "no SMILES"),
        ("m.csv", 8, "CCO", "y: 'high' is not a number"),
        ("m.csv", 9, "CCO", "y: 'inf' is not finite"),
        ("m.csv", 10, "CCO", "3 fields where the header has 2"),
    ]


def test_blank_cells_are_missing_labels(tmp_path):
    rows = [(smiles, n % 2, "" if n % 3 else 0) for n, smiles in enumerate(SMILES)]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", "toxic", "NR-AR"))
    ingest_molecules([table], tmp_path / "data", dataclasses.replace(CONFIG, targets=("toxic", "NR-AR")))
    shards = MoleculeShards.open(tmp_path / "data")
    labels = shards.targets(np.arange(len(shards)))
    np.testing.assert_array_equal(np.isnan(labels[:, 1]), np.arange(len(SMILES)) % 3 > 0)
    assert [target.kind for target in shards.manifest.targets] == ["classification"] * 2


def test_missing_columns_are_named_with_the_existing_ones(tmp_path):
    table = write_csv(tmp_path / "m.csv", [("CCO", 1)], ("mol", "y"))
    with pytest.raises(InputError, match=r"m.csv: no column smiles; its columns are mol, y. Set smiles_column"):
        ingest_molecules([table], tmp_path / "data", CONFIG)
    config = dataclasses.replace(CONFIG, smiles_column="mol", targets=("z",))
    with pytest.raises(InputError, match=r"m.csv: no column 'z'; it has mol, y. Set targets"):
        ingest_molecules([table], tmp_path / "data", config)


def test_an_empty_file_is_reported(tmp_path):
    (tmp_path / "m.csv").touch()
    with pytest.raises(InputError, match=r"m.csv: empty"):
        ingest_molecules([tmp_path / "m.csv"], tmp_path / "data", CONFIG)


def test_a_flipped_bit_in_a_shard_is_found(tmp_path):
    ingest_molecules([write_table(tmp_path / "m.csv")], tmp_path / "data", CONFIG)
    shard = tmp_path / "data" / "molecules_00000.h5"
    raw = bytearray(shard.read_bytes())
    with MoleculeShards.open(tmp_path / "data") as shards:
        row = shards.graphs([5]).atoms.tobytes()
    raw[raw.index(row)] ^= 1
    shard.write_bytes(raw)
    with MoleculeShards.open(tmp_path / "data") as shards:
        shards.graphs([4, 6])
        with pytest.raises(InputError, match=r"molecules_00000.h5: molecule 5 is damaged \(CRC32\)"):
            shards.graphs([4, 5])


def test_missing_coordinates_are_embedded(tmp_path):
    config = dataclasses.replace(CONFIG, geometry="embed", hydrogens=True, features="gilmer", seed=4)
    ingest_molecules([write_table(tmp_path / "m.csv", 6)], tmp_path / "data", config)
    shards = MoleculeShards.open(tmp_path / "data")
    graphs = shards.graphs(np.arange(6))
    expected, _ = config.featuriser.graphs(SMILES[:6])
    np.testing.assert_array_equal(graphs.positions, expected.positions)
    np.testing.assert_array_equal(graphs.atoms, expected.atoms)
    assert shards.manifest.featuriser == config.featuriser


def test_the_fingerprint_depends_on_molecules_targets_and_split_not_on_paths(tmp_path):
    fingerprints = {}
    for name, values, seed in (("a", 0, 0), ("b", 0, 0), ("c", 1, 0), ("d", 0, 1)):
        (tmp_path / name).mkdir()
        table = write_csv(tmp_path / name / f"{name}.csv", [(smiles, values + n) for n, smiles in enumerate(SMILES)])
        ingest_molecules([table], tmp_path / name / "data", dataclasses.replace(CONFIG, seed=seed))
        fingerprints[name] = MoleculeShards.open(tmp_path / name / "data").manifest.fingerprint
    assert fingerprints["a"] == fingerprints["b"]
    assert len({fingerprints["a"], fingerprints["c"], fingerprints["d"]}) == 3
