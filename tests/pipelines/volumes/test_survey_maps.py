import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.formats.ingested import rejected
from tests.formats.plain import write_dataset, write_table
from tests.formats.survey import footprint, write_image, write_packed

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.masks import read_mask
from tenfold.pipelines.readers.packed_maps import leading_shape
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.masks import Mask
from tenfold.pipelines.volumes.shards import Shards

REAL = Path(__file__).parents[4] / "shared" / "data" / "cosmology"
SPLIT = {"processes": 1, "fractions": (0.5, 0.25, 0.25)}
MASK = footprint(9, 14)


def kappas(count, *shape, seed=0):
    return np.random.default_rng(seed).normal(0, 0.02, (count, *shape)).astype(np.float32)


def write_maps(folder: Path, maps: np.ndarray, pixel_deg=(0.05, 0.05)) -> Path:
    folder.mkdir()
    for n, image in enumerate(maps):
        write_image(folder / f"{n}.fits", image, pixel_deg, OMEGA_M=0.2 + 0.05 * n, BUNIT="kappa")
    return folder


@pytest.fixture
def mask_file(tmp_path):
    np.save(tmp_path / "mask.npy", MASK)
    return tmp_path / "mask.npy"


def test_a_rectangular_map_keeps_its_shape_and_the_pixels_of_its_coordinates(tmp_path):
    maps = kappas(4, 9, 14)
    write_maps(tmp_path / "maps", maps)
    summary = ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(**SPLIT))
    assert summary.observed == 1
    with Shards.open(tmp_path / "data") as shards:
        about = shards.manifest
        assert (about.shape, about.side_deg, about.mask, shards.mask) == ((9, 14, 1), None, None, None)
        assert about.pixel_arcmin == 3
        assert (about.periodic, about.periodicity_known) == (False, True)
        assert np.array_equal(shards.read(np.arange(4))[..., 0], maps)


def test_masked_pixels_are_zero_and_not_in_the_statistics(tmp_path, mask_file):
    maps = kappas(4, 9, 14) + np.float32(0.1)
    maps[:, ~MASK] = np.nan  # whatever lies outside the mask
    maps[1, ~MASK] = 1e30
    write_maps(tmp_path / "maps", maps)
    config = MassMapIngest(mask=str(mask_file), **SPLIT)
    summary = ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config)
    assert summary.observed == pytest.approx(MASK.mean())
    assert f"{100 * MASK.mean():.1f} % of the pixels are observed" in str(summary)
    with Shards.open(tmp_path / "data") as shards:
        read, about = shards.read(np.arange(4))[..., 0], shards.manifest
        assert shards.mask is not None and np.array_equal(shards.mask, MASK)
        assert np.array_equal(read[:, MASK], maps[:, MASK])
        assert not read[:, ~MASK].any()
        observed = maps[shards.split("train")][:, MASK]
        assert about.value.mean == pytest.approx(observed.mean(dtype=float))
        assert about.value.std == pytest.approx(observed.std(dtype=float))
        assert about.value.low == observed.min()
        assert about.log1p is not None
        assert about.log1p.mean == pytest.approx(np.log1p(observed).mean(dtype=float), rel=1e-6)
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config).new_shards == 0
    with pytest.raises(InputError, match="made with mask_sha256"):
        ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(**SPLIT))


@pytest.mark.parametrize("fill", [np.nan, -99.0, -1.6375e30])
def test_masks_in_the_values(tmp_path, fill):
    maps = kappas(4, 9, 14)
    maps[:, ~MASK] = fill
    write_maps(tmp_path / "maps", maps)
    with pytest.raises(InputError, match=r"ingest\.mask=FILE.*ingest\.masked_values=true"):
        ingest_massmaps([tmp_path / "maps"], tmp_path / "refused", MassMapIngest(**SPLIT))
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(masked_values=True, **SPLIT))
    with Shards.open(tmp_path / "data") as shards:
        assert shards.mask is not None and np.array_equal(shards.mask, MASK)
        assert not shards.read(np.arange(4))[:, ~MASK].any()
        assert shards.manifest.value.low > -1


def test_integers_with_blank(tmp_path):
    maps = np.random.default_rng(0).integers(-300, 300, (4, 9, 14)).astype(np.int16)
    maps[:, ~MASK] = -32768
    (tmp_path / "maps").mkdir()
    for n, image in enumerate(maps):
        cards = {"OMEGA_M": 0.2 + 0.05 * n, "BUNIT": "kappa", "BLANK": -32768}
        write_image(tmp_path / "maps" / f"{n}.fits", image, (0.05, 0.05), **cards)
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(masked_values=True, **SPLIT))
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.dtype == "int16"
        assert np.array_equal(shards.read(np.arange(4))[..., 0], np.where(MASK, maps, 0))


def test_maps_with_another_mask_are_rejected(tmp_path):
    maps = kappas(5, 9, 14)
    maps[:, ~MASK] = np.nan
    maps[3, 8, 0] = np.nan
    write_maps(tmp_path / "maps", maps)
    config = MassMapIngest(masked_values=True, rejected_threshold=0.5, **SPLIT)
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config).records == 4
    assert "1 pixels are masked here and not in the first map, or the reverse, the first at (8, 0)" in str(
        rejected(tmp_path / "data")["3.fits"]
    )


def test_observed_pixels_must_be_finite(tmp_path, mask_file):
    maps = kappas(4, 9, 14)
    maps[2, 8, 3] = np.inf
    write_maps(tmp_path / "maps", maps)
    config = MassMapIngest(mask=str(mask_file), rejected_threshold=0.5, **SPLIT)
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config)
    assert "1 values are NaN or infinite, the first at (8, 3, 0)" in str(rejected(tmp_path / "data")["2.fits"])


def test_an_outlier_is_named_by_its_place_in_the_map(tmp_path, mask_file):
    maps = kappas(4, 9, 14)
    maps[2, 7, 5] = 1e6
    write_maps(tmp_path / "maps", maps)
    config = MassMapIngest(mask=str(mask_file), rejected_threshold=0.5, **SPLIT)
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config)
    assert "the first is 1e+06 at (7, 5, 0)" in str(rejected(tmp_path / "data")["2.fits"])


def test_packed_maps(tmp_path, mask_file):
    maps = kappas(12, 9, 14).reshape(4, 3, 9, 14)
    rows = []
    for n, stack in enumerate(maps):
        write_packed(tmp_path / f"kappa_{n}.npy", stack, MASK)
        rows.append({"file": f"kappa_{n}.npy", "omega_m": 0.2 + 0.05 * n})
    table = write_table(tmp_path / "table.csv", rows)
    assert leading_shape(tmp_path / "kappa_0.npy") == (3,)
    config = MassMapIngest(mask=str(mask_file), table=str(table), pixel_arcmin=2, units="kappa", **SPLIT)
    ingest_massmaps([tmp_path], tmp_path / "data", config)  # the mask beside the maps is not a map
    with Shards.open(tmp_path / "data") as shards:
        assert (shards.manifest.shape, shards.manifest.dtype) == ((9, 14, 1), "float16")
        read = shards.read(np.arange(12))[..., 0]
        assert np.array_equal(read, np.where(MASK, maps.reshape(12, 9, 14), 0).astype(np.float16))


def test_packed_maps_with_an_array_of_labels(tmp_path, mask_file):
    maps = kappas(12, 9, 14).reshape(4, 3, 9, 14)
    labels = np.random.default_rng(1).uniform(0.2, 0.4, (4, 3, 5))
    labels[..., :2] = np.linspace(0.2, 0.8, 8).reshape(4, 1, 2)
    write_packed(tmp_path / "kappa.npy", maps, MASK)
    np.save(tmp_path / "label.npy", labels)
    config = MassMapIngest(
        mask=str(mask_file), table=str(tmp_path / "label.npy"), pixel_arcmin=2, units="kappa",
        table_columns=("Omega_m", "S8", "T_AGN", "f0", "delta_z"), parameters=("omega_m", "s_8"), **SPLIT,
    )  # fmt: skip
    summary = ingest_massmaps([tmp_path / "kappa.npy"], tmp_path / "data", config)
    assert (summary.records, summary.simulations) == (12, 4)
    with Shards.open(tmp_path / "data") as shards:
        read = shards.read(np.arange(12))[:, MASK, 0]
        assert np.array_equal(read, maps.reshape(12, 9, 14)[:, MASK].astype(np.float16))
        assert np.array_equal(shards.parameters(np.arange(12)), labels.reshape(12, 5)[:, :2])


def test_a_part_of_packed_maps_in_the_order_of_the_file(tmp_path, mask_file):
    maps = kappas(6, 9, 14).reshape(2, 3, 9, 14)
    path = write_packed(tmp_path / "kappa.npy", maps, MASK)
    stated = StatedMetadata(
        dimensions=2, mask=str(mask_file), parameters={"omega_m": 0.3}, pixel_arcmin=2.0, part=(2, 4)
    )
    read = [volume.read(0, 9)[..., 0] for volume in read_volumes(path, stated)]
    assert leading_shape(path) == (2, 3)
    expected = np.where(MASK, maps.reshape(6, 9, 14), 0).astype(np.float16)
    assert np.array_equal(np.stack(read), expected[2:4])
    (rows,) = [volume.read(3, 5) for volume in read_volumes(path, stated)][:1]
    assert np.array_equal(rows[..., 0], expected[2, 3:5])


def test_packed_values_must_fit_the_mask(tmp_path, mask_file):
    np.save(tmp_path / "kappa.npy", np.zeros((3, MASK.sum() - 1), np.float16))
    stated = StatedMetadata(dimensions=2, mask=str(mask_file), parameters={"omega_m": 0.3}, format="packed")
    with pytest.raises(UnusableFileError, match=f"one value for each of the {MASK.sum()} observed pixels"):
        list(read_volumes(tmp_path / "kappa.npy", stated))


@pytest.mark.parametrize(
    ("cards", "settings", "message"),
    [
        ((0.05, 0.06), {}, r"pixels of 3 × 3\.6 arcmin are not squares"),
        ((0.05, 0.05), {"pixel_arcmin": 2.0}, r"3 arcmin in the file, but ingest\.pixel_arcmin is 2"),
        ((0.05, 0.05), {"periodic": True}, "cannot be a whole periodic box"),
        (None, {"side_deg": 2.0}, r"is not a square, and has no single side.*ingest\.pixel_arcmin"),
    ],
)
def test_sizes_that_are_unknown_or_contradict_one_another(tmp_path, cards, settings, message):
    path = tmp_path / "map.fits"
    if cards is None:
        header = fits.Header({"OMEGA_M": 0.3, "BUNIT": "kappa"})
        fits.PrimaryHDU(kappas(1, 9, 14)[0], header).writeto(path)
    else:
        write_image(path, kappas(1, 9, 14)[0], cards, OMEGA_M=0.3, BUNIT="kappa")
    with pytest.raises(UnusableFileError, match=message):
        list(read_volumes(path, StatedMetadata(dimensions=2, **settings)))


def test_the_side_of_a_square_follows_from_its_pixels(tmp_path):
    write_image(tmp_path / "map.fits", kappas(1, 8, 8)[0], (0.25, 0.25), OMEGA_M=0.3, BUNIT="kappa")
    (volume,) = read_volumes(tmp_path / "map.fits", StatedMetadata(dimensions=2))
    assert (volume.side_deg, volume.pixel_arcmin) == (2, 15)
    write_dataset(tmp_path / "map.h5", "kappa", kappas(1, 8, 8)[0], omega_m=0.3, angle_deg=2.0)
    (volume,) = read_volumes(tmp_path / "map.h5", StatedMetadata(dimensions=2))
    assert (volume.side_deg, volume.pixel_arcmin) == (2, 15)
    with pytest.raises(UnusableFileError, match=r"8 pixels of 10 arcmin are 1\.33333 degrees, but the side is 2"):
        list(read_volumes(tmp_path / "map.h5", StatedMetadata(dimensions=2, pixel_arcmin=10.0)))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((9, 14), bool), "masks all 126 pixels"),
        (np.full((9, 14), 0.5), "neither 0 nor 1.*mask_threshold"),
        (np.ones((9, 14, 1), bool), r"shape \(9, 14, 1\)"),
        (np.ones((9, 13), bool), "the mask has 9 × 13 pixels, the maps have 9 × 14"),
        (np.array([["yes"] * 14] * 9), "holds <U3"),
    ],
)
def test_masks_that_are_none(tmp_path, mask, message):
    write_maps(tmp_path / "maps", kappas(4, 9, 14))
    np.save(tmp_path / "mask.npy", mask)
    with pytest.raises(InputError, match=message):
        ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(mask=str(tmp_path / "mask.npy"), **SPLIT))


def test_a_mask_of_weights_needs_a_threshold(tmp_path):
    weights = np.where(MASK, 0.6, 0.4)
    fits.PrimaryHDU(weights).writeto(tmp_path / "mask.fits")
    with pytest.raises(InputError, match=r"--set ingest\.mask_threshold"):
        read_mask(tmp_path / "mask.fits")
    assert np.array_equal(read_mask(tmp_path / "mask.fits", 0.5), MASK)


@pytest.mark.parametrize(
    "settings",
    [{"mask": "m.npy", "masked_values": True}, {"masked_values": True, "patches_per_side": 2}, {"mask_threshold": 0.5}],
)
def test_settings_of_masks_that_cannot_work(settings):
    with pytest.raises(ValueError, match="mask"):
        MassMapIngest(**settings)


def test_a_damaged_mask_in_a_manifest_is_refused(tmp_path, mask_file):
    write_maps(tmp_path / "maps", kappas(4, 9, 14))
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(mask=str(mask_file), **SPLIT))
    path = tmp_path / "data" / "manifest.json"
    entries = json.loads(path.read_text())
    assert entries["version"] == 3
    bomb = Mask.of(np.ones((20_000, 20_000), bool)).bits
    for changes, message in (
        ({"bits": "?"}, "its bits are damaged"),
        ({"bits": bomb}, "not those of 9 × 14 pixels"),
        ({"observed": 5}, "5 are stated"),
        ({"height": 10}, "a mask of 10 × 14 pixels"),
    ):
        path.write_text(json.dumps(entries | {"mask": entries["mask"] | changes}))
        with pytest.raises(InputError, match=message):
            Manifest.read(path)


def test_manifests_of_version_2_are_read_and_not_made_again(tmp_path):
    write_maps(tmp_path / "maps", kappas(4, 8, 8), (0.25, 0.25))
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(**SPLIT))
    path = tmp_path / "data" / "manifest.json"
    entries = json.loads(path.read_text())
    for name in ("mask", "pixel_arcmin"):
        del entries[name]
    for name in ("pixel_arcmin", "mask_threshold", "masked_values", "mask_sha256"):
        del entries["ingest"][name]
    path.write_text(json.dumps(entries | {"version": 2}))
    manifest = Manifest.read(path)
    assert (manifest.pixel_arcmin, manifest.side_deg, manifest.mask) == (15, 2, None)
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(**SPLIT)).new_shards == 0


@pytest.mark.skipif(not REAL.exists(), reason="the maps of NaMaster's tests are not here")
def test_the_maps_of_namaster_to_the_last_bit(tmp_path):
    path, mask_path = (REAL / "maps" / f"namaster_{name}_flat.fits" for name in ("mps", "msk"))
    with pytest.raises(InputError, match="neither 0 nor 1"):  # it is apodised
        read_mask(mask_path)
    table = write_table(tmp_path / "table.csv", [{"file": path.name, "omega_m": 0.3}])
    with fits.open(path) as hdus, fits.open(mask_path) as masks:
        maps = [hdu.data.astype(float) for hdu in hdus]
        mask = masks[0].data > 0.5
    for key, image in enumerate(maps):
        config = MassMapIngest(
            processes=1, fractions=(1, 0, 0), key=str(key), table=str(table), units="mK", mask=str(mask_path),
            mask_threshold=0.5,
        )  # fmt: skip
        ingest_massmaps([path], tmp_path / f"data_{key}", config)
        with Shards.open(tmp_path / f"data_{key}") as shards:
            read = shards.read(np.arange(1))[0, ..., 0]
            assert shards.manifest.shape == (89, 119, 1)
            assert shards.manifest.pixel_arcmin == 20.1464  # the geometric mean of its sides, 20.1433 and 20.1496
            assert shards.mask is not None and np.array_equal(shards.mask, mask)
        assert np.array_equal(read.view(np.int64), np.where(mask, image, 0.0).view(np.int64))


@pytest.mark.skipif(not REAL.exists(), reason="the maps of the FAIR challenge are not here")
def test_the_maps_of_the_fair_challenge_to_the_last_bit(tmp_path):
    values, mask = (
        REAL / "fair" / "sampled_WIDE12H_bin2_2arcmin_kappa_noisy_test.npy",
        np.load(REAL / "fair" / "WIDE12H_bin2_2arcmin_mask.npy"),
    )
    table = write_table(tmp_path / "table.csv", [{"file": values.name, "omega_m": 0.3}])
    config = MassMapIngest(
        processes=1, fractions=(1, 0, 0), table=str(table), units="kappa", pixel_arcmin=2,
        mask=str(REAL / "fair" / "WIDE12H_bin2_2arcmin_mask.npy"),
    )  # fmt: skip
    ingest_massmaps([values], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        read = shards.read(np.arange(3))[..., 0]
        assert shards.manifest.shape == (1424, 176, 1)
        assert shards.manifest.mask is not None and shards.manifest.mask.observed == 132_019
        assert np.array_equal(read[:, mask].view(np.int16), np.load(values).view(np.int16))
        assert not read[:, ~mask].any()
