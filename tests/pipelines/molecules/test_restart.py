import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.formats.molecules import CONFIG, SMILES, file_bytes, write_csv, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import ingest_molecules

EIGHT_PER_SHARD = dataclasses.replace(CONFIG, records_per_shard=8)


def test_a_second_run_writes_nothing(tmp_path):
    table = write_table(tmp_path / "m.csv")
    first = ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD)
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (tmp_path / "data").iterdir()}
    assert ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD) == dataclasses.replace(first, new_shards=0)
    after = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (tmp_path / "data").iterdir()}
    assert before == after


KILLED = """
import os, signal, sys, dataclasses
from pathlib import Path
from tests.formats.molecules import CONFIG
from tenfold.pipelines.files import atomic as files
from tenfold.pipelines.molecules.ingest import ingest_molecules
left = int(sys.argv[3])
whole = files.flush
def to_disk(path):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(path)
files.flush = to_disk
ingest_molecules([sys.argv[1]], sys.argv[2], dataclasses.replace(CONFIG, records_per_shard=8))
"""


@pytest.mark.parametrize(("at", "whole"), [(1, 0), (5, 0), (8, 2), (11, 3), (15, 3)])
def test_a_run_killed_at_any_moment_is_resumed(tmp_path, at, whole):
    table = write_table(tmp_path / "m.csv")
    command = [sys.executable, "-c", KILLED, table, tmp_path / "data", str(at)]
    killed = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "data").glob("molecules_*.h5"))) == whole
    assert not (tmp_path / "data" / "manifest.json").exists()
    assert ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD).new_shards == 3 - whole
    ingest_molecules([table], tmp_path / "undisturbed", EIGHT_PER_SHARD)
    assert file_bytes(tmp_path / "data") == file_bytes(tmp_path / "undisturbed")


def test_only_a_lost_or_damaged_shard_is_written_again(tmp_path):
    table = write_table(tmp_path / "m.csv")
    ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD)
    before = file_bytes(tmp_path / "data")
    (tmp_path / "data" / "molecules_00000.h5").unlink()
    (tmp_path / "data" / "molecules_00002.h5").write_bytes(b"cut short")
    assert ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD).new_shards == 2
    (tmp_path / "data" / "index.h5").write_bytes(b"")
    assert ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD).new_shards == 0
    assert file_bytes(tmp_path / "data") == before


def test_appended_rows_keep_complete_shards_and_existing_splits(tmp_path):
    table = write_table(tmp_path / "m.csv")
    ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD)
    before = file_bytes(tmp_path / "data")
    with table.open("a") as opened:
        opened.write("CCCCO,1\nCCCCN,2\n")
    summary = ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD)
    assert (summary.new_shards, summary.molecules) == (1, len(SMILES) + 2)
    after = file_bytes(tmp_path / "data")
    for name in ("molecules_00000.h5", "molecules_00001.h5", "molecules_00002.h5"):
        assert before[name] == after[name]


def test_one_and_two_processes_write_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("tenfold.pipelines.molecules.ingest.MOLECULES_PER_PROCESS", 1)
    table = write_table(tmp_path / "m.csv")
    ingest_molecules([table], tmp_path / "one", EIGHT_PER_SHARD)
    ingest_molecules([table], tmp_path / "two", dataclasses.replace(EIGHT_PER_SHARD, processes=2))
    assert file_bytes(tmp_path / "one") == file_bytes(tmp_path / "two")


def test_a_folder_of_other_molecules_is_not_modified(tmp_path):
    table = write_table(tmp_path / "m.csv")
    ingest_molecules([table], tmp_path / "data", EIGHT_PER_SHARD)
    before = file_bytes(tmp_path / "data")
    with pytest.raises(InputError, match="holds molecules made with seed 0, now it is 1"):
        ingest_molecules([table], tmp_path / "data", dataclasses.replace(EIGHT_PER_SHARD, seed=1))
    with pytest.raises(InputError, match="holds molecules of 1 files that are not among those given now"):
        ingest_molecules([write_csv(tmp_path / "other.csv", [("C", 1)])], tmp_path / "data", EIGHT_PER_SHARD)
    assert file_bytes(tmp_path / "data") == before


def test_a_full_disk_leaves_no_partial_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tenfold.hpc.disk.os.fsync", full)
    with pytest.raises(InputError, match=r"could not be written .*No space left on device.*Make room, then run again"):
        ingest_molecules([write_table(tmp_path / "m.csv")], tmp_path / "data", EIGHT_PER_SHARD)
    assert not list((tmp_path / "data").iterdir())
