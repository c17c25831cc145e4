import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.formats.healpix import COSMOLOGY, UNSEEN, cosine, write_map, write_partial
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.readers.formats import detect_map_format, read_volumes
from tenfold.pipelines.readers.healpix_tables import read_healpix
from tenfold.pipelines.readers.sphere_patches import tile_sphere
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

WMAP = Path(__file__).parents[4] / "shared/data/cosmology/maps/healpix_wmap_W_nside32.fits"
FULL = len(tile_sphere(20.0))


def patches(path, **stated):
    settings = {"patch_deg": 20.0, "patch_pixels": 8, **stated}
    return [
        (volume, volume.read(0, volume.shape[0])[..., 0])
        for volume in read_volumes(path, StatedMetadata(dimensions=2, **settings))
    ]


@pytest.mark.parametrize("order", ["ring", "nested"])
def test_a_dipole_in_patches_is_the_cosine_of_the_colatitude(tmp_path, order):
    path = write_map(tmp_path / "sky.fits", cosine(64, order), order=order)
    assert detect_map_format(path) == "healpix"
    found = patches(path)
    assert len(found) == FULL
    for (_, values), patch in zip(found, tile_sphere(20.0), strict=True):
        _, latitude = patch.directions(8)
        assert values == pytest.approx(np.sin(latitude), abs=1e-3)  # pixels of 0.9°, second order


def test_side_redshift_parameters_and_simulation_of_a_patch(tmp_path):
    volumes = [volume for volume, _ in patches(write_map(tmp_path / "sky.fits", cosine(16)))]
    first = volumes[0]
    assert (first.shape, first.side_deg, first.box_mpc_h, first.periodic) == ((8, 8, 1), 20.0, None, False)
    assert (first.parameters, first.redshifts) == ({"omega_m": 0.3, "sigma_8": 0.8}, (1.0,))
    assert (first.units, first.left_out, first.dtype) == ("kappa", 0, np.float32)
    assert len({volume.simulation for volume in volumes}) == 1
    assert len({volume.key for volume in volumes}) == len(volumes)


def test_patches_with_masked_pixels_are_left_out_and_counted(tmp_path):
    sky = cosine(16)
    southern = sky < 0
    for masked in (UNSEEN, np.nan, np.float32(-999)):
        values = np.where(southern, masked, sky)
        path = write_map(tmp_path / "sky.fits", values, BAD_DATA=-999.0)
        found = patches(path)
        assert all(values.min() > 0 for _, values in found)
        assert 0 < len(found) < FULL / 2
        assert {volume.left_out for volume, _ in found} == {FULL - len(found)}
    with pytest.raises(UnusableFileError, match=rf"all {FULL} patches contain masked pixels"):
        patches(write_map(tmp_path / "sky.fits", np.full(3072, UNSEEN)))


@pytest.mark.parametrize("order", ["ring", "nested"])
def test_explicit_indexing_gives_the_same_patches(tmp_path, order):
    sky = cosine(16, order)
    pixels = np.random.default_rng(0).permutation(np.flatnonzero(sky > -0.3))
    partial = write_partial(tmp_path / "partial.fits", pixels, sky[pixels], 16, order=order, BUNIT="kappa")
    full = write_map(tmp_path / "full.fits", np.where(sky > -0.3, sky, UNSEEN), order=order)
    found, expected = patches(partial), patches(full)
    assert [volume.key for volume, _ in found] == [volume.key for volume, _ in expected]
    assert np.array_equal([values for _, values in found], [values for _, values in expected])
    assert 0 < len(found) < FULL


def test_one_pixel_a_row_and_double_precision(tmp_path):
    sky = cosine(8).astype(np.float64)
    sky_map = read_healpix(write_map(tmp_path / "sky.fits", sky), "", 1.0)
    assert np.array_equal(sky_map.values, sky) and sky_map.values.dtype == np.float64


def test_one_of_several_columns_is_selected_by_its_name(tmp_path):
    columns = [fits.Column(name, "1024E", array=cosine(16).reshape(-1, 1024) * factor, unit="mK")
               for name, factor in (("I_STOKES", 1), ("Q_STOKES", 2))]  # fmt: skip
    header = fits.Header({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 16, **COSMOLOGY})
    table = fits.BinTableHDU.from_columns(columns, header=header)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "sky.fits")
    with pytest.raises(UnusableFileError, match=r"2 columns match; the columns .* I_STOKES, Q_STOKES\. --set ingest"):
        patches(tmp_path / "sky.fits")
    with pytest.raises(UnusableFileError, match="U_STOKES: no column has this name"):
        patches(tmp_path / "sky.fits", key="U_STOKES")
    (intensity, *_), (polarised, *_) = (patches(tmp_path / "sky.fits", key=key) for key in ("I_STOKES", "q_stokes"))
    assert np.array_equal(2 * intensity[1], polarised[1]) and polarised[0].units == "mK"


def test_the_whole_command(tmp_path):
    (tmp_path / "maps").mkdir()
    for n in range(4):
        write_map(tmp_path / f"maps/{n}.fits", cosine(16) * (1 + n), OMEGA_M=0.2 + n / 20)
    arguments = ["ingest", "massmaps", str(tmp_path / "maps"), "--out", str(tmp_path / "data")]
    settings = ["patch_deg=20", "patch_pixels=8", "processes=1", "fractions=[0.5,0.25,0.25]"]
    result = CliRunner().invoke(app, [*arguments, *(word for each in settings for word in ("--set", f"ingest.{each}"))])
    assert result.exit_code == 0, result.output
    with Shards.open(tmp_path / "data") as shards:
        assert len(shards) == 4 * FULL
        assert (shards.manifest.shape, shards.manifest.side_deg) == ((8, 8, 1), 20.0)
        names = [set(shards.simulation(shards.split(split))) for split in ("train", "validation", "test")]
        assert [len(each) for each in names] == [2, 1, 1] and not names[0] & names[1] & names[2]


def test_the_summary_counts_patches_that_are_left_out(tmp_path):
    (tmp_path / "maps").mkdir()
    sky = cosine(16)
    for n in range(3):
        write_map(tmp_path / f"maps/{n}.fits", np.where(sky > 0.5, UNSEEN, sky * (1 + n)), OMEGA_M=0.2 + n / 20)
    config = MassMapIngest(processes=1, patch_deg=20.0, patch_pixels=8, fractions=(0.34, 0.33, 0.33))
    summary = ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config)
    assert summary.left_out > 0 and summary.records + summary.left_out == 3 * FULL
    assert f"{summary.left_out:,} patches of HEALPix maps contain masked pixels, and are left out." in str(summary)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"NSIDE": 32}, "NSIDE: is 32, which has 12,288 pixels, but the table has 3,072"),
        ({"NSIDE": 0}, "NSIDE: contains 0; expected 1 to"),
        ({"NSIDE": "many"}, "NSIDE: contains 'many'"),
        ({"ORDERING": "SPIRAL"}, "ORDERING: contains 'SPIRAL'; expected RING or NESTED"),
        ({"OMEGA_M": 30.0}, "is out of range"),
    ],
)
def test_contradictory_keywords_are_refused(tmp_path, cards, message):
    with pytest.raises(UnusableFileError, match=message):
        patches(write_map(tmp_path / "sky.fits", cosine(16), **cards))


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        ([0, 1, 1], "a pixel occurs twice"),
        ([0, 1, 3072], "contains 0 to 3072; .* 0 to 3071"),
        ([-1, 0, 1], "contains -1 to 1"),
    ],
)
def test_wrong_pixel_numbers_are_refused(tmp_path, pixels, message):
    path = write_partial(tmp_path / "sky.fits", np.array(pixels), np.ones(3, np.float32), 16)
    with pytest.raises(UnusableFileError, match=f"PIXEL: .*{message}"):
        patches(path)


def test_a_partial_map_of_absurd_resolution_allocates_nothing(tmp_path):
    path = write_partial(tmp_path / "sky.fits", np.arange(3), np.ones(3, np.float32), 2**28)
    with pytest.raises(UnusableFileError, match=r"a map of nside 268435456 takes .* GiB, above the limit of 16 GiB"):
        patches(path)


def test_a_truncated_table_is_refused(tmp_path):
    path = write_map(tmp_path / "sky.fits", cosine(16))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UnusableFileError, match="truncated"):
        patches(path)


@pytest.mark.parametrize("missing", ["patch_deg", "patch_pixels"])
def test_a_map_without_the_size_of_its_patches_names_the_settings(tmp_path, missing):
    path = write_map(tmp_path / "sky.fits", cosine(16))
    with pytest.raises(UnusableFileError, match=r"--set ingest\.patch_deg=10 --set ingest\.patch_pixels=128"):
        patches(path, **{missing: None})
    with pytest.raises(ValueError, match="found only one of them"):
        MassMapIngest(**{"patch_deg": 10.0, "patch_pixels": 64, missing: None})


@pytest.mark.parametrize("wrong", [{"patch_deg": 61.0}, {"patch_deg": 0.01}, {"patch_pixels": 2}])
def test_absurd_patches_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MassMapIngest(**{"patch_deg": 10.0, "patch_pixels": 64, **wrong})


def test_patches_are_for_maps_on_the_sphere(tmp_path):
    fits.PrimaryHDU(np.ones((8, 8)), fits.Header({"ANGLE": 3.5, **COSMOLOGY})).writeto(tmp_path / "flat.fits")
    with pytest.raises(UnusableFileError, match="not a HEALPix map"):
        patches(tmp_path / "flat.fits")
    sky = write_map(tmp_path / "sky.fits", cosine(16))
    for stated, message in (
        ({"side_deg": 5.0}, "patch_deg is 20 .* ingest.side_deg is 5"),
        ({"box_mpc_h": 5.0}, "length"),
    ):
        with pytest.raises(UnusableFileError, match=message):
            patches(sky, **stated)


@pytest.mark.skipif(not WMAP.is_file(), reason="the WMAP map of shared/data is not here")
def test_the_intensity_of_wmap_is_read_to_the_last_bit(tmp_path):
    with fits.open(WMAP) as hdus:
        stored = np.asarray(hdus[1].data.field(0)).reshape(-1)
        names = hdus[1].columns.names
    sky = read_healpix(WMAP, names[0], 1.0)
    seen = stored > -1e30
    assert np.array_equal(sky.values[seen], stored[seen]) and np.isnan(sky.values[~seen]).all()
    assert (sky.nside, sky.values.dtype) == (32, np.float32)
    stated = StatedMetadata(dimensions=2, key=names[0], parameters={"omega_m": 0.27}, patch_deg=10.0, patch_pixels=8)
    volumes = list(read_volumes(WMAP, stated))
    assert len(volumes) + volumes[0].left_out == len(tile_sphere(10.0))
    assert volumes[0].units == "i_stokes"  # TUNIT is unknown
    packed = tmp_path / "wmap.fits.gz"
    packed.write_bytes(gzip.compress(WMAP.read_bytes()))
    assert [volume.key for volume in read_volumes(packed, stated)] == [volume.key for volume in volumes]
