import os

import h5py
import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw
from tests.formats.hostile import BEFORE_READING, SECRET

from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.safe_hdf5 import get_dataset, mask_values, open_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError


@pytest.mark.parametrize("spoil", BEFORE_READING, ids=lambda spoil: spoil.__name__)
def test_a_hostile_file_is_refused_with_its_reason_and_no_other_file_is_read(spoil, tmp_path):
    write_raw(tmp_path / SECRET, 0)
    os.utime(tmp_path / SECRET, ns=(0, 10**9))
    write_raw(tmp_path / "box.h5", 1)
    spoil(tmp_path / "box.h5")
    with pytest.raises(UnusableFileError, match=BEFORE_READING[spoil]) as caught:
        list(read_volumes(tmp_path / "box.h5", StatedMetadata()))
    assert caught.value.path == tmp_path / "box.h5"
    assert (tmp_path / SECRET).stat().st_atime_ns == 0, "the other file was read"


def test_a_valid_file_with_internal_links_opens(tmp_path):
    write_raw(tmp_path / "box.h5", 1)
    with h5py.File(tmp_path / "box.h5", "a") as file:
        file["soft"] = h5py.SoftLink("/full")
        file["a/hard"] = file["full"]
        file["b"] = file["a"]
    with open_hdf5(tmp_path / "box.h5") as file:
        assert file["soft"].shape == file["b/hard"].shape == (8, 8, 8, 2)


def test_deeply_nested_groups_are_refused(tmp_path):
    with h5py.File(tmp_path / "deep.h5", "w") as file:
        file.create_group("/".join("g" * 100))
    with pytest.raises(UnusableFileError, match="64 deep"), open_hdf5(tmp_path / "deep.h5"):
        pass


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(UnusableFileError, match="No such file"), open_hdf5(tmp_path / "none.h5"):
        pass


def test_chunks_that_were_never_written_are_reported(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        partial = file.create_dataset("partial", (8, 8, 8), "f4", chunks=(4, 4, 4), fillvalue=-1)
        partial[:4] = 2.0
        file.create_dataset("none", (8, 8, 8), "f4", chunks=(4, 4, 4), compression="gzip")
    with open_hdf5(tmp_path / "a.h5") as file:
        with pytest.raises(
            UnusableFileError, match=r"8 chunks, but 4 are stored; the other 4 were never written.* -1\.0"
        ):
            get_dataset(file, "partial", tmp_path / "a.h5")
        with pytest.raises(UnusableFileError, match="0 are stored: never written"):
            get_dataset(file, "none", tmp_path / "a.h5")


def test_fill_values_are_masks_unless_they_are_possible_counts(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, dtype, fill in (
            ("real", "f4", 1e20),
            ("integer", "i2", -32767),
            ("counts", "u2", 1),
            ("zero", "f4", 0),
        ):
            file.create_dataset(name, (4, 4), dtype, fillvalue=fill)[...] = 7
        file["zero"].attrs["missing_value"] = np.array([-9.0], np.float32)
    with open_hdf5(tmp_path / "a.h5") as file:
        values = {name: mask_values(file[name], tmp_path / "a.h5") for name in file}
    assert values == {"real": (pytest.approx(1e20),), "integer": (-32767.0,), "counts": (), "zero": (-9.0,)}
