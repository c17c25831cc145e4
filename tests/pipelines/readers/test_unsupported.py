import dataclasses

import h5py
import numpy as np
import pytest
from astropy.io import fits
from tests.formats.foreign import FOREIGN
from tests.formats.ingested import HERE, boxes, rejected
from tests.formats.snapshots import uniform, write_gadget, write_gadget_binary

from tenfold.pipelines.readers.formats import detect_map_format, detect_volume_format, read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.ingest import ingest_volumes


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("write", FOREIGN)
def test_an_unsupported_file_is_identified(tmp_path, write, dimensions):
    write(tmp_path / "box.h5")
    with pytest.raises(UnusableFileError, match=FOREIGN[write]):
        list(read_volumes(tmp_path / "box.h5", StatedMetadata(dimensions=dimensions)))


def test_an_unsupported_file_is_identified_even_if_a_format_is_stated(tmp_path):
    next(iter(FOREIGN))(tmp_path / "box.h5")
    with pytest.raises(UnusableFileError, match="a Git LFS pointer"):
        list(read_volumes(tmp_path / "box.h5", StatedMetadata(format="cosmoflow")))


def test_a_snapshot_is_no_map(tmp_path):
    write_gadget(tmp_path / "snap.hdf5", {1: (uniform(9, 1e3), 1.0)}, box=1e3)
    with pytest.raises(UnusableFileError, match="a particle snapshot: `tenfold ingest volumes` paints it"):
        detect_map_format(tmp_path / "snap.hdf5")
    for version in (1, 2):
        write_gadget_binary(tmp_path / "snap_004", {1: (uniform(9, 1e3), 1.0)}, box=1e3, version=version)
        with pytest.raises(UnusableFileError, match=rf"a particle snapshot \(Gadget's binary format {version}\)"):
            detect_map_format(tmp_path / "snap_004")


def test_a_broken_link_is_rejected_and_listed(tmp_path):
    boxes(tmp_path / "boxes", 5)
    (tmp_path / "boxes" / "009.h5").symlink_to("../.git/annex/objects/0/SHA256E-s1--0.h5")
    config = dataclasses.replace(HERE, rejected_threshold=0.5)
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).simulations == 5
    assert "a link to a missing file" in rejected(tmp_path / "data")["009.h5"][1]


def test_a_key_for_an_npy_file_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 4, 4)))
    with pytest.raises(UnusableFileError, match=r"an NPY file, not HDF5.*leave out ingest\.key"):
        list(read_volumes(tmp_path / "a.npy", StatedMetadata(key="delta", parameters={"omega_m": 0.3})))


def test_hdf5_behind_a_user_block_is_hdf5(tmp_path):
    field = np.random.default_rng(0).normal(size=(4, 4, 4))
    with h5py.File(tmp_path / "matlab.mat", "w", userblock_size=512) as file:
        file["delta"] = field
    with (tmp_path / "matlab.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file")
    assert detect_volume_format(tmp_path / "matlab.mat") == detect_map_format(tmp_path / "matlab.mat") == "hdf5"
    (volume,) = read_volumes(tmp_path / "matlab.mat", StatedMetadata(key="delta", parameters={"omega_m": 0.3}))
    assert volume.shape == (4, 4, 4, 1)


def test_fits_is_a_format_of_maps_only(tmp_path):
    fits.PrimaryHDU(np.ones((4, 4))).writeto(tmp_path / "a.fits")
    assert detect_map_format(tmp_path / "a.fits") == "fits"
    with pytest.raises(UnusableFileError, match=r"a FITS file.*`tenfold ingest massmaps`"):
        detect_volume_format(tmp_path / "a.fits")
