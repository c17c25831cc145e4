"""FITS files compressed by gzip, whatever their name."""

import gzip
import resource
import tempfile

import numpy as np
import pytest
from astropy.io import fits

from tenfold.pipelines.readers.formats import detect_map_format, read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

COSMOLOGY = {"ANGLE": 3.5, "OMEGA_M": 0.3, "SIGMA8": 0.8}
STATED = StatedMetadata(dimensions=2)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def cube(seed=0, maps=3, side=8):
    return (0.02 * np.random.default_rng(seed).standard_normal((maps, side, side))).astype(">f4")


def write(path, compress=gzip.compress):
    hdu = fits.PrimaryHDU(cube(), fits.Header({**COSMOLOGY, "BUNIT": "kappa"}))
    hdu.writeto(path.with_suffix(".plain"))
    path.write_bytes(compress(path.with_suffix(".plain").read_bytes()))
    return path


def values(path, stated=STATED):
    return np.stack([volume.read(0, volume.shape[0])[..., 0] for volume in read_volumes(path, stated)])


@pytest.mark.parametrize("name", ["maps.fits.gz", "maps.fits", "maps"])
def test_maps_are_read_exactly_and_leave_no_temporary_file(tmp_path, temporary, name):
    path = write(tmp_path / name)
    assert detect_map_format(path) == "fits"
    assert np.array_equal(values(path), cube())
    assert not list(temporary.iterdir())


def test_each_map_can_be_read_in_any_order(tmp_path, temporary):
    path = write(tmp_path / "maps.fits.gz")
    for number, volume in enumerate(read_volumes(path, STATED)):
        assert np.array_equal(volume.read(5, 8)[..., 0], cube()[number, 5:])
        assert np.array_equal(volume.read(0, 2)[..., 0], cube()[number, :2])
        assert not list(temporary.iterdir())  # while it is open, it has no name


def test_tile_compressed_images_inside_gzip(tmp_path, temporary):
    hdu = fits.CompImageHDU(cube()[0], fits.Header({**COSMOLOGY, "BUNIT": "kappa"}), compression_type="GZIP_1",
                            quantize_level=0)  # fmt: skip
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    assert np.array_equal(values(tmp_path / "a.fits.gz"), cube()[:1])


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path, temporary):
    zeros = fits.PrimaryHDU(np.zeros((1, 2000, 2000), ">f4"), fits.Header({**COSMOLOGY, "BUNIT": "kappa"}))
    zeros.writeto(tmp_path / "a.fits")
    packed = gzip.compress((tmp_path / "a.fits").read_bytes())
    assert len(packed) < 2**16  # of 16 MB
    (tmp_path / "a.fits.gz").write_bytes(packed)
    limited = StatedMetadata(dimensions=2, largest_gib=0.01)
    with pytest.raises(UnusableFileError, match=r"unpacks to more than 0\.01 GiB \(ingest\.largest_gib\)"):
        values(tmp_path / "a.fits.gz", limited)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_gzip_file_is_refused(tmp_path, temporary, keep):
    path = write(tmp_path / "maps.fits.gz")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UnusableFileError, match="compressed by gzip, and truncated or damaged"):
        values(path)
    assert not list(temporary.iterdir())


def test_a_wrong_checksum_is_refused(tmp_path, temporary):
    path = write(tmp_path / "maps.fits.gz")
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    with pytest.raises(UnusableFileError, match="truncated or damaged"):
        values(path)


def test_fits_compressed_twice_is_refused(tmp_path, temporary):
    path = write(tmp_path / "maps.fits.gz", lambda data: gzip.compress(gzip.compress(data)))
    with pytest.raises(UnusableFileError, match="compressed by gzip"):
        values(path)


def test_members_of_a_gzip_file_are_joined(tmp_path, temporary):
    path = write(tmp_path / "maps.fits.gz", lambda data: gzip.compress(data[:3000]) + gzip.compress(data[3000:]))
    assert np.array_equal(values(path), cube())


def test_a_truncated_image_inside_gzip_is_refused(tmp_path, temporary):
    path = write(tmp_path / "maps.fits.gz", lambda data: gzip.compress(data[:3000]))
    with pytest.raises(UnusableFileError, match=r"requires 768 bytes, but the file contains 120"):
        values(path)


def test_a_temporary_file_that_cannot_grow_is_told_with_its_folder(tmp_path, temporary):
    path = write(tmp_path / "maps.fits.gz", lambda data: gzip.compress(data + bytes(2**22)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, limits[1]))
    try:
        with pytest.raises(UnusableFileError, match=rf"a temporary file in {temporary} \(File too large\): make room"):
            values(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_compressed_arrays_are_refused_with_advice(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 4, 4)))
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress((tmp_path / "a.npy").read_bytes()))
    for dimensions in (2, 3):
        with pytest.raises(UnusableFileError, match=r"compressed by gzip, containing NPY: unpack it first \(gunzip\)"):
            list(read_volumes(tmp_path / "a.npy.gz", StatedMetadata(dimensions=dimensions)))
