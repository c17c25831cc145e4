import dataclasses
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw, write_split
from tests.formats.ingested import HERE, boxes, rejected
from tests.formats.plain import write_table

from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

SPLITS = ("train", "validation", "test")


def crossing(folder: Path) -> set:
    """Contents of records that are in more than one split."""
    with Shards.open(folder) as shards:
        held = [{record.tobytes() for record in shards.read(shards.split(name))} for name in SPLITS]
        assert all(held), "a split is empty"
        return (held[0] & held[1]) | (held[0] & held[2]) | (held[1] & held[2])


def splits_of(folder: Path) -> dict[str, set]:
    """Splits of the records of each simulation."""
    with Shards.open(folder) as shards:
        splits: dict[str, set] = {}
        for name in SPLITS:
            for simulation in shards.simulation(shards.split(name)):
                splits.setdefault(str(simulation), set()).add(name)
        return splits


@pytest.mark.parametrize("seed", range(5))
def test_sub_volumes_of_one_box_never_cross(tmp_path, seed):
    boxes(tmp_path / "boxes", 12)
    config = dataclasses.replace(HERE, patches_per_side=2, seed=seed, fractions=(0.4, 0.3, 0.3), records_per_shard=10)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert all(len(splits) == 1 for splits in splits_of(tmp_path / "data").values())
    assert not crossing(tmp_path / "data")


def test_a_box_copied_under_other_names_cannot_leak_into_the_test_split(tmp_path):
    boxes(tmp_path / "boxes", 10)
    for n in range(10):
        shutil.copy(tmp_path / "boxes" / f"{n:03d}.h5", tmp_path / "boxes" / f"copy_{n}.h5")
        with h5py.File(tmp_path / "boxes" / f"copy_{n}.h5", "a") as file:
            file.attrs["universe_tag"] = f"another {n}"
    config = dataclasses.replace(HERE, fractions=(0.4, 0.3, 0.3), rejected_threshold=0.5)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert not crossing(tmp_path / "data")
    assert (summary.simulations, summary.records, len(summary.rejected)) == (10, 10, 10)
    assert all("holds the same data as" in reason for _, reason in rejected(tmp_path / "data").values())


def test_a_renamed_file_is_still_its_simulation(tmp_path):
    """Sub-volumes in separate files, or a second snapshot: other values of the same simulation."""
    boxes(tmp_path / "boxes", 10)
    for n in range(10):
        write_raw(tmp_path / "boxes" / f"later_{n}.h5", n)
        with h5py.File(tmp_path / "boxes" / f"later_{n}.h5", "a") as file:
            file["full"][...] = file["full"][:][::-1]
    config = dataclasses.replace(HERE, fractions=(0.4, 0.3, 0.3))
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).records == 20
    assert all(len(splits) == 1 for splits in splits_of(tmp_path / "data").values())


def test_pieces_of_a_simulation_in_files_of_their_own_stay_together(tmp_path):
    (tmp_path / "pieces").mkdir()
    rng, rows = np.random.default_rng(0), []
    for simulation in range(8):
        for piece in range(4):
            np.save(tmp_path / "pieces" / f"{simulation}_{piece}.npy", rng.normal(size=(4, 4, 4)))
            rows.append(
                {"file": f"{simulation}_{piece}.npy", "simulation": simulation, "omega_m": 0.2 + simulation / 40}
            )
    table = write_table(tmp_path / "t.csv", rows)
    config = dataclasses.replace(HERE, table=str(table), fractions=(0.4, 0.3, 0.3))
    ingest_volumes([tmp_path / "pieces"], tmp_path / "data", config)
    splits = splits_of(tmp_path / "data")
    assert len(splits) == 8
    assert all(len(names) == 1 for names in splits.values())


def test_sub_volumes_of_one_file_stay_together(tmp_path):
    (tmp_path / "split").mkdir()
    for n in range(9):
        write_split(tmp_path / "split" / f"{n}.h5", n)
    config = dataclasses.replace(HERE, fractions=(0.4, 0.3, 0.3))
    assert ingest_volumes([tmp_path / "split"], tmp_path / "data", config).records == 27
    assert all(len(splits) == 1 for splits in splits_of(tmp_path / "data").values())


def test_more_simulations_later_move_none_and_remake_no_full_shard(tmp_path):
    boxes(tmp_path / "boxes", 8)
    config = dataclasses.replace(HERE, patches_per_side=2, fractions=(0.4, 0.3, 0.3), seed=1)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    before = splits_of(tmp_path / "data")
    boxes(tmp_path / "boxes", 12)
    for n in range(8):  # written again: other times, the same bytes
        os.utime(tmp_path / "boxes" / f"{n:03d}.h5", ns=(10**9, 10**9))
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    after = splits_of(tmp_path / "data")
    assert (summary.simulations, summary.new_shards) == (12, 1)
    assert {name: after[name] for name in before} == before


def test_a_second_simulation_of_the_same_name_is_rejected(tmp_path):
    boxes(tmp_path / "boxes", 10)
    write_raw(tmp_path / "boxes" / "zzz.h5", 3, physPar=[0.2, 0.7, 0.96, 70.0])
    config = dataclasses.replace(HERE, rejected_threshold=0.2)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    ((name, (_, reason)),) = rejected(tmp_path / "data").items()
    assert name == "zzz.h5"
    assert reason.startswith("is called simulation universe 3 as ") and "003.h5 is, with other parameters" in reason
