import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw
from tests.formats.hostile import BEFORE_READING, IN_THE_VALUES, SECRET, nan
from tests.formats.ingested import HERE, boxes, records_of, rejected

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.ingest import ingest_volumes


def test_bad_files_are_set_aside_with_their_reasons_and_the_rest_packed(tmp_path):
    boxes(tmp_path / "boxes", 6)
    write_raw(tmp_path / SECRET, 99)
    reasons = {**BEFORE_READING, **IN_THE_VALUES}
    del reasons[nan]  # a file of floats among counts is refused before its values are read
    for n, spoil in enumerate(reasons, start=100):
        write_raw(tmp_path / "boxes" / f"{spoil.__name__}.h5", n)
        shutil.copy(tmp_path / SECRET, tmp_path / "boxes" / f".{SECRET}")
        spoil(tmp_path / "boxes" / f"{spoil.__name__}.h5")
    config = dataclasses.replace(HERE, rejected_threshold=0.9)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (summary.files, summary.simulations, len(summary.rejected)) == (6 + len(reasons), 6, len(reasons))
    rejects = rejected(tmp_path / "data")
    for spoil, reason in reasons.items():
        assert re.search(reason, rejects[f"{spoil.__name__}.h5"][1]), spoil
    assert sorted(records_of(tmp_path / "data")) == [f"universe {n}" for n in range(6)]
    again = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert again == dataclasses.replace(summary, new_shards=0)


def test_a_shard_whose_only_file_is_set_aside_is_empty_and_the_rest_is_there(tmp_path):
    boxes(tmp_path / "boxes", 4)
    spoil = next(damage for damage in IN_THE_VALUES if damage is not nan)
    write_raw(tmp_path / "boxes" / "spoilt.h5", 100)
    spoil(tmp_path / "boxes" / "spoilt.h5")
    config = dataclasses.replace(HERE, rejected_threshold=0.9, records_per_shard=1)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (summary.simulations, len(summary.rejected)) == (4, 1)
    assert sorted(records_of(tmp_path / "data")) == [f"universe {n}" for n in range(4)]


def test_files_with_flipped_bytes_never_end_the_run(tmp_path, monkeypatch):
    """HDF5 itself crashes on some of them, and loops for ever in others."""
    monkeypatch.setattr("tenfold.pipelines.volumes.sources.HEADER_TIMEOUT_S", 2.0)
    full = boxes(tmp_path / "boxes", 5)
    rng = np.random.default_rng(0)
    for n in range(60):
        write_raw(tmp_path / "boxes" / f"flipped_{n:03d}.h5", 100 + n)
        raw = bytearray((tmp_path / "boxes" / f"flipped_{n:03d}.h5").read_bytes())
        start = raw.index(b"universe_tag") if n % 2 else 0  # text of variable length is what HDF5 trusts most
        for place in rng.integers(start, min(start + 400, len(raw)), 3):
            raw[place] = rng.choice([0, 255, rng.integers(256)])
        (tmp_path / "boxes" / f"flipped_{n:03d}.h5").write_bytes(raw)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, rejected_threshold=1))
    assert summary.rejected
    assert {Path(name).stem[:7] for name in rejected(tmp_path / "data")} == {"flipped"}
    records = records_of(tmp_path / "data")
    for n in range(5):
        np.testing.assert_array_equal(records[f"universe {n}"][0], full[n])


def test_a_box_of_another_shape_than_all_others_is_set_aside(tmp_path):
    boxes(tmp_path / "boxes", 6)
    write_raw(tmp_path / "boxes" / "002.h5", 2, side=16)
    write_raw(tmp_path / "boxes" / "004.h5", 4, full=np.ones((8, 8, 8, 2), np.int32))
    config = dataclasses.replace(HERE, rejected_threshold=0.5)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    rejects = rejected(tmp_path / "data")
    assert rejects["002.h5"][1] == "differs from 4 other files: shape (16, 16, 16, 2), not (8, 8, 8, 2)"
    assert rejects["004.h5"][1] == "differs from 4 other files: dtype int32, not int16"


def test_too_many_bad_files_end_the_run_without_a_manifest(tmp_path):
    boxes(tmp_path / "boxes", 10)
    for n in (3, 4):
        (tmp_path / "boxes" / f"{n:03d}.h5").write_bytes(b"")
    with pytest.raises(InputError, match=r"2 of 10 files cannot be used.*threshold 0.1 .*003.h5: empty file.*rejected"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, rejected_threshold=0.1))
    assert sorted(rejected(tmp_path / "data")) == ["003.h5", "004.h5"]
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_too_many_bad_files_found_while_packing_end_the_run(tmp_path):
    (tmp_path / "boxes").mkdir()
    for n in range(6):
        full = np.random.default_rng(n).lognormal(size=(8, 8, 8, 2)).astype(np.float32)
        write_raw(tmp_path / "boxes" / f"{n}.h5", n, full=full)
    nan(tmp_path / "boxes" / "3.h5")
    with pytest.raises(InputError, match=f"1 of 6 files cannot be used.*3.h5, full: {IN_THE_VALUES[nan]}"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    assert not (tmp_path / "data" / "manifest.json").exists()
    config = dataclasses.replace(HERE, rejected_threshold=0.2)
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).records == 5
    assert "universe 3" not in records_of(tmp_path / "data")


def test_a_repaired_file_is_ingested(tmp_path):
    boxes(tmp_path / "boxes", 6)
    (tmp_path / "boxes" / "001.h5").write_bytes(b"")
    config = dataclasses.replace(HERE, rejected_threshold=0.2)
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).simulations == 5
    write_raw(tmp_path / "boxes" / "001.h5", 1)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (summary.simulations, summary.rejected) == (6, ())
    assert not rejected(tmp_path / "data")
