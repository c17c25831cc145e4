import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.shards import Shards


@pytest.fixture(scope="module", params=["none", "blosc-lz4"])
def packed(request, tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A folder of shards, and the expected records."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "boxes").mkdir()
    boxes = [write_raw(folder / "boxes" / f"{n:02d}.h5", n) for n in range(12)]
    config = Ingest(patches_per_side=2, records_per_shard=24, processes=1, compression=request.param)
    ingest_volumes([folder / "boxes"], folder / "data", config)
    corners = [(x, y, z) for x in (0, 4) for y in (0, 4) for z in (0, 4)]
    records = [box[x : x + 4, y : y + 4, z : z + 4] for box in boxes for x, y, z in corners]
    return folder / "data", np.stack(records)


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_any_records_are_read_in_any_order(packed):
    folder, records = packed
    rng = np.random.default_rng(0)
    with Shards.open(folder) as shards:
        assert len(shards) == 96
        for count in (0, 1, 2, 17, 96):
            indices = rng.integers(0, 96, count)
            batch = shards.read(indices)
            np.testing.assert_array_equal(batch, records[indices])
            assert batch.dtype == np.int16
        np.testing.assert_array_equal(shards.read(np.arange(96)), records)


def test_a_supplied_buffer_is_filled(packed):
    folder, records = packed
    out = np.empty((5, 4, 4, 4, 2), np.int16)
    with Shards.open(folder) as shards:
        assert shards.read(np.arange(40, 45), out) is out
        np.testing.assert_array_equal(out, records[40:45])
        with pytest.raises(ValueError, match="out: found float32"):
            shards.read(np.arange(5), out.astype(np.float32))


def test_records_begin_where_tensorflow_needs_no_copy(packed):
    with Shards.open(packed[0]) as shards:
        assert shards.read(np.arange(3)).ctypes.data % 64 == 0


def test_a_batch_that_is_held_is_never_written_over(packed):
    folder, records = packed
    rng = np.random.default_rng(2)
    held = []
    with Shards.open(folder) as shards:
        for _ in range(200):
            indices = rng.integers(0, 96, rng.integers(1, 4))
            batch = shards.read(indices)
            kind = rng.integers(4)  # the batch, a part of it, a view of its bytes, or nothing is kept
            kept = (batch, batch[-1:], memoryview(batch[-1:]), None)[kind]
            held.append((kept, records[indices if kind == 0 else indices[-1:]]))
            del batch, kept
            if len(held) > 6:
                held.pop(int(rng.integers(6)))
            for kept, expected in held:
                if kept is not None:
                    np.testing.assert_array_equal(kept, expected)


def test_memory_that_nobody_holds_is_used_again(packed):
    with Shards.open(packed[0]) as shards:
        places = {shards.read(np.arange(4)).ctypes.data for _ in range(20)}
    assert len(places) == 1


def test_threads_read_at_the_same_time(packed):
    folder, records = packed
    batches = np.random.default_rng(1).integers(0, 96, (40, 8))
    with Shards.open(folder) as shards, ThreadPoolExecutor(4) as pool:
        for indices, batch in zip(batches, pool.map(shards.read, batches), strict=True):
            np.testing.assert_array_equal(batch, records[indices])


def test_an_open_dataset_can_be_pickled(packed):
    folder, records = packed
    with Shards.open(folder) as shards:
        shards.read(np.arange(3))
        with pickle.loads(pickle.dumps(shards)) as other:
            np.testing.assert_array_equal(other.read(np.arange(9)), records[:9])


def test_splits_share_no_record_and_leave_none_out(packed):
    with Shards.open(packed[0]) as shards:
        parts = [shards.split(name) for name in ("train", "validation", "test")]
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(96))
        with pytest.raises(ValueError, match="valid are train, validation, test"):
            shards.split("all")


def test_parameters_and_simulation_are_those_of_the_box_a_record_was_cut_from(packed):
    folder, _ = packed
    with Shards.open(folder) as shards:
        assert shards.manifest.parameter_names == ("omega_m", "sigma_8")
        indices = np.array([95, 0, 8, 7])
        assert shards.simulation(indices).tolist() == ["universe 11", "universe 0", "universe 1", "universe 0"]
        parameters = shards.parameters(indices)
        with h5py.File(folder.parent / "boxes" / "11.h5") as box:
            np.testing.assert_array_equal(parameters[0], box["physPar"][:2])
        np.testing.assert_array_equal(parameters[1], parameters[3])


def test_statistics_are_those_of_the_training_records(packed):
    folder, records = packed
    with Shards.open(folder) as shards:
        manifest, train = shards.manifest, records[shards.split("train")].astype(float)
        for moments, values in ((manifest.value, train), (manifest.log1p, np.log1p(train))):
            expected = [values.mean(), values.std(), values.min(), values.max()]
            assert [moments.mean, moments.std, moments.low, moments.high] == pytest.approx(expected, rel=1e-6)
        one_each = shards.parameters(shards.split("train")[::8])
        assert manifest.parameter_mean == pytest.approx(one_each.mean(axis=0))
        assert manifest.parameter_std == pytest.approx(one_each.std(axis=0))


def test_an_index_out_of_range_is_refused(packed):
    with Shards.open(packed[0]) as shards:
        for wrong in ([96], [-1], [0, 1000]):
            with pytest.raises(IndexError, match="of 96"):
                shards.read(wrong)


def test_one_flipped_bit_is_found_and_its_record_named(packed, tmp_path):
    folder = copied(packed[0], tmp_path / "data")
    with Shards.open(folder) as shards:
        shards.read([30])
        offset = shards._opened[1].offset[6]
    raw = bytearray((folder / "shard_00001.h5").read_bytes())
    raw[offset + 60] ^= 1
    (folder / "shard_00001.h5").write_bytes(raw)
    with Shards.open(folder) as shards:
        np.testing.assert_array_equal(shards.read([29, 31]), packed[1][[29, 31]])
        with pytest.raises(InputError, match=r"shard_00001.h5: record 6 is damaged"):
            shards.read(np.arange(24, 48))


def test_a_shard_cut_short_or_gone_is_named_on_opening(packed, tmp_path):
    folder = copied(packed[0], tmp_path / "data")
    shard = folder / "shard_00002.h5"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"shard_00002.h5: has .* bytes, not"):
        Shards.open(folder)
    shard.unlink()
    with pytest.raises(InputError, match=r"shard_00002.h5: is missing"):
        Shards.open(folder)


def test_a_folder_without_shards_is_refused_with_the_command_to_make_them(tmp_path):
    with pytest.raises(InputError, match=r"no shards in this folder. Make them by `tenfold ingest`"):
        Shards.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("", "not a manifest"), ("[]", "not a manifest"), ('{"version": 99}', "format version 99")]
)
def test_an_invalid_manifest_is_refused(tmp_path, content, message):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=message):
        Shards.open(tmp_path)
