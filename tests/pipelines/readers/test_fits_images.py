"""FITS images of surveys and simulations: several HDUs, scaled integers, compressed tiles, masks."""

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.formats.plain import write_table

from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.ingest import estimate_size
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

COSMOLOGY = {"ANGLE": 3.5, "OMEGA_M": 0.3, "SIGMA8": 0.8}


def image(seed=0, side=8):
    return (0.02 * np.random.default_rng(seed).standard_normal((side, side))).astype(">f4")


def maps_of(path, **stated):
    records = [
        (volume, volume.read(0, volume.shape[0]))
        for volume in read_volumes(path, StatedMetadata(dimensions=2, **stated))
    ]
    return [volume for volume, _ in records], np.stack([values for _, values in records])


def write_hdus(path, *extensions, primary=None, header=None):
    """Write a primary HDU, empty or with an image, followed by named images."""
    hdus = [fits.PrimaryHDU(primary, fits.Header(header or {}))]
    hdus += [fits.ImageHDU(data, fits.Header(cards), name=name) for name, data, cards in extensions]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.fixture
def survey(tmp_path):
    """Galaxy counts, E and B modes in one file; the cosmology in the primary header."""
    counts = np.full((8, 8), 30, ">i4")
    return write_hdus(
        tmp_path / "survey.fits",
        ("NGAL", counts, {}),
        ("KAPPA_E", image(1), {"BUNIT": "kappa"}),
        ("KAPPA_B", image(2), {}),
        header=COSMOLOGY,
    )


def test_several_images_without_a_key_are_listed(survey):
    with pytest.raises(UnusableFileError) as refused:
        list(read_volumes(survey, StatedMetadata(dimensions=2)))
    for message in ("3 images", "1 NGAL (8, 8)", "2 KAPPA_E (8, 8) [kappa]", "3 KAPPA_B (8, 8)", "--set ingest.key="):
        assert message in str(refused.value)


@pytest.mark.parametrize(
    ("key", "seed", "units"),
    [("KAPPA_E", 1, "kappa"), ("kappa_b", 2, "kappa_b"), ("2", 1, "kappa"), ("KAPPA_B,1", 2, "kappa_b")],
)
def test_the_key_selects_an_image_by_name_or_number_and_the_primary_header_applies_too(survey, key, seed, units):
    (volume,), values = maps_of(survey, key=key)
    assert np.array_equal(values[0, ..., 0], image(seed))
    assert (volume.units, volume.side_deg) == (units, 3.5)
    assert volume.parameters == {"omega_m": 0.3, "sigma_8": 0.8}


def test_images_with_the_same_name_are_distinguished_by_their_version(tmp_path):
    hdus = [fits.PrimaryHDU(header=fits.Header(COSMOLOGY))]
    hdus += [fits.ImageHDU(image(n), name="KAPPA", ver=n) for n in (1, 2)]
    fits.HDUList(hdus).writeto(tmp_path / "bins.fits")
    assert np.array_equal(maps_of(tmp_path / "bins.fits", key="KAPPA,2")[1][0, ..., 0], image(2))
    with pytest.raises(UnusableFileError, match="2 images have this name"):
        maps_of(tmp_path / "bins.fits", key="KAPPA")


def test_an_unknown_key_is_refused_with_the_available_images(survey):
    with pytest.raises(UnusableFileError, match=r"KAPPA: no image has this name or number; the images are 1 NGAL"):
        maps_of(survey, key="KAPPA")


def test_a_number_is_a_key_on_the_command_line_too(survey, tmp_path):
    from tenfold.pipelines.config import load
    from tenfold.pipelines.studies.massmaps_config import MassMapsRun

    assert load(MassMapsRun, settings=("ingest.key=2",)).ingest.key == "2"


def test_the_header_of_an_extension_takes_precedence_over_the_primary_one(tmp_path):
    path = write_hdus(tmp_path / "a.fits", ("KAPPA", image(), {"OMEGA_M": 0.25}), header=COSMOLOGY)
    (volume,), _ = maps_of(path)
    assert volume.parameters == {"omega_m": 0.25, "sigma_8": 0.8}
    assert volume.units == "kappa"


@pytest.mark.parametrize(
    ("name", "cards", "units"),
    [
        ("GAMMA1", {}, "gamma1"),
        ("MASK", {}, "mask"),
        ("CONVERGENCE", {}, "kappa"),
        ("", {"BUNIT": "K"}, "K"),
        ("KAPPA", {"BUNIT": "1e-2"}, "1e-2"),
    ],
)
def test_the_unit_is_in_the_header_or_the_name_of_the_image(tmp_path, name, cards, units):
    path = write_hdus(tmp_path / "a.fits", (name, image(), cards), header=COSMOLOGY)
    assert maps_of(path)[0][0].units == units


def test_a_lenstools_map_without_a_unit_is_convergence_and_other_images_need_a_unit(tmp_path):
    fits.PrimaryHDU(image(), fits.Header(COSMOLOGY)).writeto(tmp_path / "lenstools.fits")
    assert maps_of(tmp_path / "lenstools.fits")[0][0].units == "kappa"
    cube = np.stack([image(1), image(2)])  # two components of the shear, or two maps?
    fits.PrimaryHDU(cube, fits.Header(COSMOLOGY)).writeto(tmp_path / "cube.fits")
    with pytest.raises(UnusableFileError, match=r"BUNIT: neither BUNIT nor the image's name .*--set ingest\.units="):
        maps_of(tmp_path / "cube.fits")
    assert maps_of(tmp_path / "cube.fits", units="gamma")[0][0].units == "gamma"


@pytest.mark.parametrize(
    ("stored", "scale", "zero", "dtype"),
    [
        (">i2", 1, 32768, "uint16"),
        ("u1", 1, -128, "int8"),
        (">i4", 1, 2**31, "uint32"),
        (">i2", 0.001, 0.25, "float32"),
        (">i2", 1e-6, 1000.0, "float64"),  # single precision does not resolve the steps
        (">i4", 1e-9, 0.0, "float64"),
        (">f4", 2.0, 1.0, "float32"),
    ],
)
def test_scaled_pixels_are_zero_plus_scale_times_what_is_stored(tmp_path, stored, scale, zero, dtype):
    raw = np.arange(64).reshape(8, 8).astype(stored)
    fits.PrimaryHDU(raw, fits.Header({**COSMOLOGY, "BUNIT": "K"})).writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BSCALE"], hdus[0].header["BZERO"] = scale, zero
    (volume,), values = maps_of(tmp_path / "a.fits")
    assert volume.dtype == values.dtype == np.dtype(dtype)
    assert np.array_equal(values[0, ..., 0], (raw.astype(np.float64) * scale + zero).astype(dtype))
    with fits.open(tmp_path / "a.fits", memmap=False) as hdus:
        np.testing.assert_allclose(values[0, ..., 0], hdus[0].data.astype(np.float64), rtol=1e-6)


def test_the_full_range_of_unsigned_integers_is_preserved(tmp_path):
    pixels = np.array([[0, 1], [65534, 65535]], np.uint16)
    fits.PrimaryHDU(pixels, fits.Header({**COSMOLOGY, "BUNIT": "ADU"})).writeto(tmp_path / "a.fits")
    assert np.array_equal(maps_of(tmp_path / "a.fits")[1][0, ..., 0], pixels)


@pytest.mark.parametrize(
    ("kind", "pixels"),
    [
        ("RICE_1", np.arange(256, dtype=np.int16)),
        ("GZIP_1", np.linspace(0, 1, 256, dtype=np.float32)),
        ("GZIP_2", np.arange(256, dtype=np.uint16) + 40000),
    ],
)
def test_tile_compressed_maps_are_read_exactly(tmp_path, kind, pixels):
    pixels = pixels.reshape(16, 16)
    header = fits.Header({**COSMOLOGY, "BUNIT": "kappa"})
    hdu = fits.CompImageHDU(pixels, header, compression_type=kind, quantize_level=0, tile_shape=(4, 16))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits.fz")
    (volume,), values = maps_of(tmp_path / "a.fits.fz")
    assert np.array_equal(values[0, ..., 0], pixels)
    assert volume.dtype == pixels.dtype and volume.units == "kappa"


def test_a_truncated_tile_compressed_map_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 30000, (64, 64)).astype(np.int16)
    header = fits.Header({**COSMOLOGY, "BUNIT": "kappa"})
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(noise, header)]).writeto(tmp_path / "a.fits")
    (tmp_path / "a.fits").write_bytes((tmp_path / "a.fits").read_bytes()[: -4 * 2880])
    with pytest.raises(UnusableFileError, match=r"a\.fits"):
        maps_of(tmp_path / "a.fits")


def test_tiles_larger_than_the_image_are_refused_before_decompression(tmp_path):
    header = fits.Header({**COSMOLOGY, "BUNIT": "kappa"})
    hdu = fits.CompImageHDU(np.arange(64, dtype=np.int16).reshape(8, 8), header)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update", disable_image_compression=True) as hdus:
        hdus[1].header["ZTILE1"] = 10**9
    with pytest.raises(UnusableFileError, match=r"ZTILE: tiles of \(1, 1000000000\)"):
        list(read_volumes(tmp_path / "a.fits", StatedMetadata(dimensions=2)))


def ingest(folder, out, **settings):
    config = MassMapIngest(processes=1, fractions=(0.5, 0.25, 0.25), rejected_threshold=0.5, **settings)
    estimate_size([folder], config)
    return ingest_massmaps([folder], out, config)


def rejected(out):
    with (out / "rejected.csv").open(newline="") as opened:
        return {Path(row["file"]).name: row["reason"] for row in csv.DictReader(opened)}


def test_files_with_blank_pixels_are_rejected_and_the_others_packed(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for n in range(5):
        raw = np.random.default_rng(n).integers(-30000, 30000, (8, 8)).astype(">i2")
        raw[2, 3:5] = -32768 if n == 3 else 7
        header = fits.Header({**COSMOLOGY, "OMEGA_M": 0.2 + n / 50, "BUNIT": "kappa"})
        fits.PrimaryHDU(raw, header).writeto(folder / f"{n}.fits")
        with fits.open(folder / f"{n}.fits", mode="update", do_not_scale_image_data=True) as hdus:
            hdus[0].header.update({"BSCALE": 1e-5, "BZERO": 0.0, "BLANK": -32768})
    summary = ingest(folder, tmp_path / "shards")
    assert summary.records == 4
    message = rejected(tmp_path / "shards")["3.fits"]
    assert "2 of 64 values are -0.32768" in message and "masked" in message and "first is at (2, 3, 0)" in message


def test_the_records_of_scaled_images_are_physical(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    rows = []
    for n in range(4):
        pixels = np.random.default_rng(n).integers(0, 65536, (8, 8)).astype(np.uint16)
        fits.PrimaryHDU(pixels).writeto(folder / f"{n}.fits")
        rows.append({"file": f"{n}.fits", "omega_m": 0.2 + n / 50})
    table = write_table(tmp_path / "table.csv", rows)
    summary = ingest(folder, tmp_path / "shards", table=str(table), side_deg=1.0, units="ADU")
    assert summary.rejected == ()
    assert Manifest.read(tmp_path / "shards" / "manifest.json").dtype == "uint16"
    with Shards.open(tmp_path / "shards") as shards:
        assert np.array_equal(shards.read(np.arange(4))[3, ..., 0], pixels)
