import csv
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw, write_split
from tests.formats.hostile import BEFORE_READING, IN_THE_VALUES, SECRET, nan
from tests.formats.plain import write_dataset, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.shards import Shards
from tenfold.pipelines.volumes import Ingest, estimate_size, ingest_volumes

SPLITS = ("train", "validation", "test")
HERE = Ingest(processes=1, records_per_shard=32)


def boxes(folder: Path, count: int, **changes) -> list[np.ndarray]:
    folder.mkdir(exist_ok=True)
    return [write_raw(folder / f"{n:03d}.h5", n, **changes) for n in range(count)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def records_of(folder: Path) -> dict[str, np.ndarray]:
    """All records of each simulation."""
    with Shards.open(folder) as shards:
        names = shards.simulation(np.arange(len(shards)))
        return {name: shards.read(np.flatnonzero(names == name)) for name in np.unique(names)}


def quarantine(folder: Path) -> dict[str, tuple[str, str]]:
    with (folder / "quarantine.csv").open(newline="") as opened:
        return {Path(line["file"]).name: (line["key"], line["reason"]) for line in csv.DictReader(opened)}


# ---- what goes in comes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_sub_volumes_put_together_are_the_box(tmp_path, cut):
    full = boxes(tmp_path / "boxes", 5)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, cut=cut))
    assert summary.records == 5 * cut**3
    found = records_of(tmp_path / "data")
    for n, box in enumerate(full):
        pieces = found[f"universe {n}"].reshape(cut, cut, cut, 8 // cut, 8 // cut, 8 // cut, 2)
        together = pieces.transpose(0, 3, 1, 4, 2, 5, 6).reshape(8, 8, 8, 2)
        np.testing.assert_array_equal(together, box)


def test_the_manifest_says_what_a_record_is(tmp_path):
    boxes(tmp_path / "boxes", 5)
    config = dataclasses.replace(HERE, cut=2, box_mpc_h=512.0)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        found = shards.manifest
        assert (found.shape, found.dtype, found.units) == ((4, 4, 4, 2), "int16", "counts")
        assert (found.box_mpc_h, found.periodic, found.redshifts) == (256.0, False, (0, 0.5))
        assert found.parameter_names == ("omega_m", "sigma_8")
        assert found.simulations[0].parameters["h"] == pytest.approx(0.7)


def test_parameters_named_are_learnt_even_if_they_do_not_vary(tmp_path):
    boxes(tmp_path / "boxes", 5)
    config = dataclasses.replace(HERE, parameters=("h", "omega_m"))
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.parameter_names == ("h", "omega_m")
        np.testing.assert_allclose(shards.parameters(np.arange(5))[:, 0], 0.7)


def test_a_parameter_the_files_do_not_have_is_named_with_those_they_have(tmp_path):
    boxes(tmp_path / "boxes", 5)
    with pytest.raises(InputError, match="has no parameter omega_b; it has omega_m, sigma_8, n_s, h"):
        ingest_volumes(
            [tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, parameters=("omega_m", "omega_b"))
        )


def test_overdensities_below_minus_one_have_no_log1p(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "boxes").mkdir()
    for n in range(5):
        write_raw(tmp_path / "boxes" / f"{n}.h5", n, full=rng.normal(size=(8, 8, 8, 2)).astype(np.float32))
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.log1p is None
        assert shards.manifest.dtype == "float32"
        assert shards.manifest.value.std == pytest.approx(1, rel=0.1)


def test_npy_files_take_their_parameters_from_the_table(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "arrays").mkdir()
    rows = []
    for n in range(6):
        np.save(tmp_path / "arrays" / f"{n}.npy", rng.normal(size=(4, 4, 4)))
        rows.append({"file": f"{n}.npy", "omega_m": 0.1 + 0.05 * n, "sigma_8": 0.8})
    table = write_table(tmp_path / "table.csv", rows)
    ingest_volumes([tmp_path / "arrays"], tmp_path / "data", dataclasses.replace(HERE, table=str(table)))
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.parameter_names == ("omega_m",)
        np.testing.assert_allclose(shards.parameters(np.arange(6))[:, 0], [row["omega_m"] for row in rows])


def test_plain_datasets_are_packed_too(tmp_path):
    (tmp_path / "boxes").mkdir()
    for n in range(4):
        values = np.random.default_rng(n).normal(size=(4, 4, 4)).astype(np.float32)
        write_dataset(tmp_path / "boxes" / f"{n}.h5", "a/b", values, omega_m=0.2 + n / 20, sigma_8=0.8)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, key="a/b"))
    assert summary.records == 4


def test_dask_workers_make_the_same_bytes_as_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tenfold.pipelines.volumes.WORTH_A_PROCESS", 1)
    boxes(tmp_path / "boxes", 10)
    for name, processes in (("one", 1), ("two", 2)):
        config = dataclasses.replace(HERE, cut=2, processes=processes)
        ingest_volumes([tmp_path / "boxes"], tmp_path / name, config)
    one, two = bytes_of(tmp_path / "one"), bytes_of(tmp_path / "two")
    assert one == two


def test_the_size_said_before_is_the_size_made(tmp_path):
    boxes(tmp_path / "boxes", 5)
    config = dataclasses.replace(HERE, cut=2)
    said = estimate_size([tmp_path / "boxes"], config)
    assert not (tmp_path / "data").exists()
    made = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (said.files, said.simulations, said.records) == (made.files, made.simulations, made.records)
    assert said.record == (4, 4, 4, 2)
    assert said.bytes == made.records * 4**3 * 2 * 2


# ---- nothing leaks --------------------------------------------------------------------------------------------------


def crossing(folder: Path) -> set:
    """Contents that stand in more than one split."""
    with Shards.open(folder) as shards:
        held = [{record.tobytes() for record in shards.read(shards.split(name))} for name in SPLITS]
        assert all(held), "a split is empty"
        return (held[0] & held[1]) | (held[0] & held[2]) | (held[1] & held[2])


def splits_of(folder: Path) -> dict[str, set]:
    """The splits each simulation's records are in."""
    with Shards.open(folder) as shards:
        found: dict[str, set] = {}
        for name in SPLITS:
            for simulation in shards.simulation(shards.split(name)):
                found.setdefault(str(simulation), set()).add(name)
        return found


@pytest.mark.parametrize("seed", range(5))
def test_sub_volumes_of_one_box_never_cross(tmp_path, seed):
    boxes(tmp_path / "boxes", 12)
    config = dataclasses.replace(HERE, cut=2, seed=seed, fractions=(0.4, 0.3, 0.3), records_per_shard=10)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert all(len(found) == 1 for found in splits_of(tmp_path / "data").values())
    assert not crossing(tmp_path / "data")


def test_a_box_copied_under_other_names_cannot_leak_into_the_test_split(tmp_path):
    boxes(tmp_path / "boxes", 10)
    for n in range(10):
        shutil.copy(tmp_path / "boxes" / f"{n:03d}.h5", tmp_path / "boxes" / f"copy_{n}.h5")
        with h5py.File(tmp_path / "boxes" / f"copy_{n}.h5", "a") as file:
            file.attrs["universe_tag"] = f"another {n}"
    config = dataclasses.replace(HERE, fractions=(0.4, 0.3, 0.3), quarantine_threshold=0.5)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert not crossing(tmp_path / "data")
    assert (summary.simulations, summary.records, len(summary.quarantined)) == (10, 10, 10)
    assert all("holds the same data as" in reason for _, reason in quarantine(tmp_path / "data").values())


def test_a_renamed_file_is_still_its_simulation(tmp_path):
    """Sub-volumes saved apart, or a second snapshot: other values, one universe."""
    boxes(tmp_path / "boxes", 10)
    for n in range(10):
        write_raw(tmp_path / "boxes" / f"later_{n}.h5", n)
        with h5py.File(tmp_path / "boxes" / f"later_{n}.h5", "a") as file:
            file["full"][...] = file["full"][:][::-1]
    config = dataclasses.replace(HERE, fractions=(0.4, 0.3, 0.3))
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).records == 20
    assert all(len(found) == 1 for found in splits_of(tmp_path / "data").values())


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
    found = splits_of(tmp_path / "data")
    assert len(found) == 8
    assert all(len(each) == 1 for each in found.values())


def test_sub_volumes_already_cut_stay_together(tmp_path):
    (tmp_path / "split").mkdir()
    for n in range(9):
        write_split(tmp_path / "split" / f"{n}.h5", n)
    config = dataclasses.replace(HERE, fractions=(0.4, 0.3, 0.3))
    assert ingest_volumes([tmp_path / "split"], tmp_path / "data", config).records == 27
    assert all(len(each) == 1 for each in splits_of(tmp_path / "data").values())


def test_more_simulations_later_move_none_and_remake_no_full_shard(tmp_path):
    boxes(tmp_path / "boxes", 8)
    config = dataclasses.replace(HERE, cut=2, fractions=(0.4, 0.3, 0.3), seed=1)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    before = splits_of(tmp_path / "data")
    boxes(tmp_path / "boxes", 12)
    for n in range(8):  # written again: other times, the same bytes
        os.utime(tmp_path / "boxes" / f"{n:03d}.h5", ns=(10**9, 10**9))
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    after = splits_of(tmp_path / "data")
    assert (summary.simulations, summary.made) == (12, 1)
    assert {name: after[name] for name in before} == before


def test_two_universes_under_one_name_are_not_taken_for_one(tmp_path):
    boxes(tmp_path / "boxes", 10)
    write_raw(tmp_path / "boxes" / "zzz.h5", 3, physPar=[0.2, 0.7, 0.96, 70.0])
    config = dataclasses.replace(HERE, quarantine_threshold=0.2)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    ((name, (_, reason)),) = quarantine(tmp_path / "data").items()
    assert name == "zzz.h5"
    assert reason == "is called simulation universe 3 as 003.h5 is, with other parameters"


# ---- bad files ------------------------------------------------------------------------------------------------------


def test_bad_files_are_set_aside_with_their_reasons_and_the_rest_packed(tmp_path):
    boxes(tmp_path / "boxes", 6)
    write_raw(tmp_path / SECRET, 99)
    said = {**BEFORE_READING, **IN_THE_VALUES}
    del said[nan]  # a file of floats among counts is refused before its values are read
    for n, spoil in enumerate(said, start=100):
        write_raw(tmp_path / "boxes" / f"{spoil.__name__}.h5", n)
        shutil.copy(tmp_path / SECRET, tmp_path / "boxes" / f".{SECRET}")
        spoil(tmp_path / "boxes" / f"{spoil.__name__}.h5")
    config = dataclasses.replace(HERE, quarantine_threshold=0.9)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (summary.files, summary.simulations, len(summary.quarantined)) == (6 + len(said), 6, len(said))
    found = quarantine(tmp_path / "data")
    for spoil, reason in said.items():
        assert re.search(reason, found[f"{spoil.__name__}.h5"][1]), spoil
    assert sorted(records_of(tmp_path / "data")) == [f"universe {n}" for n in range(6)]
    again = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert again == dataclasses.replace(summary, made=0)


def test_files_with_flipped_bytes_never_end_the_run(tmp_path, monkeypatch):
    """HDF5 itself crashes on some of them, and goes round for ever in others."""
    monkeypatch.setattr("tenfold.pipelines.sources.LONGEST_LOOK_S", 2.0)
    full = boxes(tmp_path / "boxes", 5)
    rng = np.random.default_rng(0)
    for n in range(60):
        write_raw(tmp_path / "boxes" / f"flipped_{n:03d}.h5", 100 + n)
        raw = bytearray((tmp_path / "boxes" / f"flipped_{n:03d}.h5").read_bytes())
        start = raw.index(b"universe_tag") if n % 2 else 0  # text of variable length is what HDF5 trusts most
        for place in rng.integers(start, min(start + 400, len(raw)), 3):
            raw[place] = rng.choice([0, 255, rng.integers(256)])
        (tmp_path / "boxes" / f"flipped_{n:03d}.h5").write_bytes(raw)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, quarantine_threshold=1))
    assert summary.quarantined
    assert {Path(name).stem[:7] for name in quarantine(tmp_path / "data")} == {"flipped"}
    found = records_of(tmp_path / "data")
    for n in range(5):
        np.testing.assert_array_equal(found[f"universe {n}"][0], full[n])


def test_a_box_of_another_shape_than_all_others_is_set_aside(tmp_path):
    boxes(tmp_path / "boxes", 6)
    write_raw(tmp_path / "boxes" / "002.h5", 2, side=16)
    write_raw(tmp_path / "boxes" / "004.h5", 4, full=np.ones((8, 8, 8, 2), np.int32))
    config = dataclasses.replace(HERE, quarantine_threshold=0.5)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    found = quarantine(tmp_path / "data")
    assert found["002.h5"][1] == "differs from 4 other files: shape (16, 16, 16, 2), not (8, 8, 8, 2)"
    assert found["004.h5"][1] == "differs from 4 other files: dtype int32, not int16"


def test_too_many_bad_files_end_the_run_without_a_manifest(tmp_path):
    boxes(tmp_path / "boxes", 10)
    for n in (3, 4):
        (tmp_path / "boxes" / f"{n:03d}.h5").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"2 of 10 files cannot be used.*threshold 0.1 .*003.h5: empty file.*quarantine"
    ):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, quarantine_threshold=0.1))
    assert sorted(quarantine(tmp_path / "data")) == ["003.h5", "004.h5"]
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_too_many_found_only_while_packing_end_the_run_too(tmp_path):
    (tmp_path / "boxes").mkdir()
    for n in range(6):
        full = np.random.default_rng(n).lognormal(size=(8, 8, 8, 2)).astype(np.float32)
        write_raw(tmp_path / "boxes" / f"{n}.h5", n, full=full)
    nan(tmp_path / "boxes" / "3.h5")
    with pytest.raises(InputError, match=f"1 of 6 files cannot be used.*3.h5, full: {IN_THE_VALUES[nan]}"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    assert not (tmp_path / "data" / "manifest.json").exists()
    config = dataclasses.replace(HERE, quarantine_threshold=0.2)
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).records == 5
    assert "universe 3" not in records_of(tmp_path / "data")


def test_a_file_mended_is_taken_in(tmp_path):
    boxes(tmp_path / "boxes", 6)
    (tmp_path / "boxes" / "001.h5").write_bytes(b"")
    config = dataclasses.replace(HERE, quarantine_threshold=0.2)
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).simulations == 5
    write_raw(tmp_path / "boxes" / "001.h5", 1)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (summary.simulations, summary.quarantined) == (6, ())
    assert not quarantine(tmp_path / "data")


# ---- again, after a kill, elsewhere ---------------------------------------------------------------------------------


def test_a_second_run_does_nothing(tmp_path):
    boxes(tmp_path / "boxes", 6)
    first = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (tmp_path / "data").iterdir()}
    for file in (tmp_path / "boxes").iterdir():
        file.chmod(0)
    second = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    after = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (tmp_path / "data").iterdir()}
    assert before == after
    assert second == dataclasses.replace(first, made=0)


KILLED = """
import os, signal, sys, types, zlib
from tenfold.pipelines import packing
from tenfold.pipelines.volumes import Ingest, ingest_volumes
left = int(sys.argv[3])
def crc32(data):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return zlib.crc32(data)
packing.zlib = types.SimpleNamespace(crc32=crc32)
ingest_volumes([sys.argv[1]], sys.argv[2], Ingest(cut=2, processes=1, records_per_shard=32))
"""


@pytest.mark.parametrize("records", [1, 70])
def test_a_run_killed_in_the_middle_is_taken_up_where_it_was(tmp_path, records):
    boxes(tmp_path / "boxes", 16)
    config = dataclasses.replace(HERE, cut=2)
    command = [sys.executable, "-c", KILLED, tmp_path / "boxes", tmp_path / "data", str(records)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = sorted(file.name for file in (tmp_path / "data").iterdir())
    whole = [name for name in left if name.startswith("shard")]
    assert len(whole) == records // 32
    assert len(left) == len(whole) + 1, "one half-written file, under a temporary name"
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert summary.made == 4 - len(whole)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "undisturbed", config)
    assert bytes_of(tmp_path / "data") == bytes_of(tmp_path / "undisturbed")


def test_a_damaged_shard_that_was_removed_is_made_again(tmp_path):
    boxes(tmp_path / "boxes", 16)
    config = dataclasses.replace(HERE, cut=2)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    before = bytes_of(tmp_path / "data")
    (tmp_path / "data" / "shard_00001.h5").unlink()
    (tmp_path / "data" / "shard_00002.h5").write_bytes(b"cut short")
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).made == 2
    assert bytes_of(tmp_path / "data") == before


def test_a_changed_box_is_packed_again(tmp_path):
    boxes(tmp_path / "boxes", 6)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    changed = write_raw(tmp_path / "boxes" / "000.h5", 0, physPar=[0.3, 0.8, 0.97, 71.0])
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE).made == 1
    np.testing.assert_array_equal(records_of(tmp_path / "data")["universe 0"][0], changed)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.simulations[0].parameters["h"] == pytest.approx(0.71)


def test_a_corrected_table_is_taken_over(tmp_path):
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


def test_a_folder_of_other_shards_is_not_touched(tmp_path):
    boxes(tmp_path / "boxes", 6)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    before = bytes_of(tmp_path / "data")
    with pytest.raises(InputError, match="holds shards made with cut 1, now it is 2"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, cut=2))
    (tmp_path / "boxes" / "000.h5").rename(tmp_path / "boxes" / "other.h5")
    with pytest.raises(InputError, match="holds shards of 1 files that are not among those given now"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    assert bytes_of(tmp_path / "data") == before


def test_an_output_that_cannot_be_written_is_said_at_once(tmp_path):
    boxes(tmp_path / "boxes", 4)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/data: cannot be written to .Not a directory."):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "file" / "data", HERE)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    boxes(tmp_path / "boxes", 4)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tenfold.pipelines.files.os.fsync", full)
    with pytest.raises(InputError, match=r"could not be written .*No space left on device.*Make room, then run again"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    assert not list((tmp_path / "data").iterdir())


def test_paths_without_files_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such file or folder"):
        ingest_volumes([tmp_path / "nowhere"], tmp_path / "data", HERE)
    with pytest.raises(InputError, match="no files of volumes there"):
        ingest_volumes([tmp_path], tmp_path / "data", HERE)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cut": 0}, "cut: found 0"),
        ({"fractions": (0.8, 0.1, 0.2)}, "fractions: found"),
        ({"fractions": (0.0, 0.5, 0.5)}, "the first, for training"),
        ({"parameters": ("omega",)}, "parameters: found 'omega', valid are omega_m, sigma_8"),
        ({"compression": "gzip"}, "compression: found 'gzip', valid are none, blosc-lz4"),
        ({"quarantine_threshold": 2}, "quarantine_threshold: found 2"),
        ({"processes": 0}, "processes: found 0"),
        ({"box_mpc_h": -1.0}, "box_mpc_h: found -1.0"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Ingest(**wrong)


def test_a_cut_that_does_not_divide_the_box_is_said(tmp_path):
    boxes(tmp_path / "boxes", 4)
    with pytest.raises(InputError, match="side of 8 voxels cannot be cut into 3 equal parts"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, cut=3))
