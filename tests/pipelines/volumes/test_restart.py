import dataclasses
import signal
import subprocess
import sys

import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw
from tests.formats.ingested import HERE, boxes, bytes_of, records_of
from tests.formats.plain import write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.output_folder import RECORD
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards


def test_a_second_run_does_nothing(tmp_path):
    boxes(tmp_path / "boxes", 6)
    first = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (tmp_path / "data").iterdir()}
    for file in (tmp_path / "boxes").iterdir():
        file.chmod(0)
    second = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    after = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (tmp_path / "data").iterdir()}
    assert before == after
    assert second == dataclasses.replace(first, new_shards=0)


KILLED = """
import os, signal, sys, types, zlib
from tenfold.pipelines.volumes import packing
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
left = int(sys.argv[3])
def crc32(data):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return zlib.crc32(data)
packing.zlib = types.SimpleNamespace(crc32=crc32)
ingest_volumes([sys.argv[1]], sys.argv[2], Ingest(patches_per_side=2, processes=1, records_per_shard=32))
"""


@pytest.mark.parametrize("records", [1, 70])
def test_a_killed_run_is_resumed(tmp_path, records):
    boxes(tmp_path / "boxes", 16)
    config = dataclasses.replace(HERE, patches_per_side=2)
    command = [sys.executable, "-c", KILLED, tmp_path / "boxes", tmp_path / "data", str(records)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = sorted(file.name for file in (tmp_path / "data").iterdir() if file.name != RECORD)
    whole = [name for name in left if name.startswith("shard")]
    assert len(whole) == records // 32
    assert len(left) == len(whole) + 1, "one half-written file, under a temporary name"
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert summary.new_shards == 4 - len(whole)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "undisturbed", config)
    assert bytes_of(tmp_path / "data") == bytes_of(tmp_path / "undisturbed")


def test_a_damaged_shard_that_was_removed_is_made_again(tmp_path):
    boxes(tmp_path / "boxes", 16)
    config = dataclasses.replace(HERE, patches_per_side=2)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    before = bytes_of(tmp_path / "data")
    (tmp_path / "data" / "shard_00001.h5").unlink()
    (tmp_path / "data" / "shard_00002.h5").write_bytes(b"cut short")
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).new_shards == 2
    assert bytes_of(tmp_path / "data") == before


def test_a_study_that_was_moved_is_recognised(tmp_path):
    boxes(tmp_path / "boxes", 6)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    before = bytes_of(tmp_path / "data")
    (tmp_path / "boxes").rename(tmp_path / "elsewhere")
    assert ingest_volumes([tmp_path / "elsewhere"], tmp_path / "data", HERE).new_shards == 0
    assert bytes_of(tmp_path / "data") == before
    write_raw(tmp_path / "elsewhere" / "000.h5", 0, physPar=[0.3, 0.8, 0.97, 71.0])  # the same name, another study
    with pytest.raises(InputError, match="holds shards of 6 files that are not among those given now"):
        ingest_volumes([tmp_path / "elsewhere"], tmp_path / "data", HERE)
    assert bytes_of(tmp_path / "data") == before


def test_a_changed_box_is_packed_again(tmp_path):
    boxes(tmp_path / "boxes", 6)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    changed = write_raw(tmp_path / "boxes" / "000.h5", 0, physPar=[0.3, 0.8, 0.97, 71.0])
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE).new_shards == 1
    np.testing.assert_array_equal(records_of(tmp_path / "data")["universe 0"][0], changed)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.simulations[0].parameters["h"] == pytest.approx(0.71)


def test_a_corrected_table_is_used(tmp_path):
    (tmp_path / "arrays").mkdir()
    rows = []
    for n in range(4):
        np.save(tmp_path / "arrays" / f"{n}.npy", np.random.default_rng(n).normal(size=(4, 4, 4)))
        rows.append({"file": f"{n}.npy", "omega_m": 0.2 + n / 20})
    table = write_table(tmp_path / "t.csv", rows)
    config = dataclasses.replace(HERE, table=str(table))
    ingest_volumes([tmp_path / "arrays"], tmp_path / "data", config)
    write_table(table, [{**rows[0], "omega_m": 0.9}, *rows[1:]])
    with pytest.raises(InputError, match="made with table_sha256"):
        ingest_volumes([tmp_path / "arrays"], tmp_path / "data", config)


def test_a_folder_of_other_shards_is_not_modified(tmp_path):
    boxes(tmp_path / "boxes", 6)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    before = bytes_of(tmp_path / "data")
    with pytest.raises(InputError, match="holds shards made with patches_per_side 1, now it is 2"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, patches_per_side=2))
    (tmp_path / "boxes" / "000.h5").rename(tmp_path / "boxes" / "other.h5")
    with pytest.raises(InputError, match="holds shards of 1 files that are not among those given now"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    assert bytes_of(tmp_path / "data") == before


def test_an_unwritable_output_is_reported_at_once(tmp_path):
    boxes(tmp_path / "boxes", 4)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/data: cannot be written to .Not a directory."):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "file" / "data", HERE)


def test_a_full_disk_leaves_no_partial_file(tmp_path, monkeypatch):
    boxes(tmp_path / "boxes", 4)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tenfold.hpc.disk.os.fsync", full)
    with pytest.raises(InputError, match=r"could not be written .*No space left on device.*Make room, then run again"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    assert not list((tmp_path / "data").iterdir())
