import csv

import h5py
import numpy as np
import pytest
from astropy.io import fits

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.simulation.lensing.fits_cubes import write_maps
from tenfold.pipelines.volumes.ingest import estimate_size
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

pytestmark = pytest.mark.slow

ONE = MassMapIngest(processes=1, fractions=(0.5, 0.25, 0.25))


def write(path, kappa, omega_m, sources=(1.0,)):
    write_maps(
        path,
        kappa,
        cosmology=Cosmology(omega_m=omega_m),
        side_deg=2.5,
        sources=sources,
        trusted=(288.0, 2000.0 - 1000 * omega_m),
        seed=1,
        simulation=path.stem,
        varied=("omega_m",),
        config={},
    )


def kappas(count, *shape):
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)


@pytest.fixture
def cubes(tmp_path):
    folder, maps = tmp_path / "cubes", kappas(4, 3, 8, 8, 2)
    folder.mkdir()
    for n, stack in enumerate(maps):
        write(folder / f"maps_{n}.fits", stack, 0.2 + 0.05 * n, (0.5, 1.0))
    return folder, maps


def test_cubes_written_by_tenfold_are_read_back(cubes, tmp_path):
    folder, maps = cubes
    summary = ingest_massmaps([folder], tmp_path / "shards", ONE)
    assert (summary.simulations, summary.records) == (4, 12)
    with Shards.open(tmp_path / "shards") as shards:
        about = shards.manifest
        assert (about.shape, about.dtype, about.side_deg, about.periodic) == ((8, 8, 2), "float32", 2.5, False)
        assert about.multipoles == (288.0, 1650.0)  # what all files trust
        assert (about.redshifts, about.parameter_names) == ((0.5, 1.0), ("omega_m",))
        read = shards.read(np.arange(12))
        assert np.array_equal(read, maps.reshape(12, 8, 8, 2))
        assert shards.parameters(np.arange(12))[:, 0] == pytest.approx(np.repeat([0.2, 0.25, 0.3, 0.35], 3))


def test_maps_of_a_cosmology_stay_in_one_split(cubes, tmp_path):
    ingest_massmaps([cubes[0]], tmp_path / "shards", ONE)
    with Shards.open(tmp_path / "shards") as shards:
        splits = {name: set(shards.simulation(shards.split(name))) for name in ("train", "validation", "test")}
    assert all(splits.values())
    assert sum(map(len, splits.values())) == len(set.union(*splits.values())) == 4


def test_a_second_ingest_writes_nothing_and_patches_are_quarters(cubes, tmp_path):
    folder, maps = cubes
    ingest_massmaps([folder], tmp_path / "shards", ONE)
    assert ingest_massmaps([folder], tmp_path / "shards", ONE).new_shards == 0
    quarters = MassMapIngest(processes=1, patches_per_side=2, fractions=(0.5, 0.25, 0.25))
    assert estimate_size([folder], quarters).records == 48
    ingest_massmaps([folder], tmp_path / "cut", quarters)
    with Shards.open(tmp_path / "cut") as shards:
        assert shards.manifest.side_deg == 1.25
        assert np.array_equal(shards.read(np.arange(4))[1], maps[0, 0, :4, 4:])


def test_single_fits_images_of_one_cosmology_are_one_simulation(tmp_path):
    folder = tmp_path / "lenstools"
    folder.mkdir()
    maps = kappas(6, 8, 8)
    for n, image in enumerate(maps):
        header = fits.Header({"ANGLE": 3.5, "H0": 72.0, "OMEGA_M": 0.26 + 0.01 * (n // 2), "Z": 2.0})
        fits.PrimaryHDU(image.astype(">f8"), header).writeto(folder / f"WLconv_{n}.fits")
    ingest_massmaps([folder], tmp_path / "shards", MassMapIngest(processes=1, fractions=(0.4, 0.3, 0.3)))
    manifest = Manifest.read(tmp_path / "shards" / "manifest.json")
    assert manifest.side_deg == 3.5 and manifest.redshifts == (2.0,) and manifest.dtype == "float64"
    assert len({entry.simulation for entry in manifest.simulations}) == 3
    for n in range(0, 6, 2):
        one, two = manifest.simulations[n : n + 2]
        assert (one.simulation, one.split) == (two.simulation, two.split)
        assert one.parameters == {"omega_m": pytest.approx(0.26 + 0.005 * n), "h": pytest.approx(0.72)}


def test_camels_maps_belong_to_rows_of_parameters(tmp_path):
    maps = kappas(60, 8, 8)
    np.save(tmp_path / "Maps_Mtot_IllustrisTNG_LH_z=0.00.npy", maps)
    rows = np.random.default_rng(1).uniform(0.25, 4, (4, 6))
    rows[:, 0], rows[:, 1] = [0.1, 0.2, 0.3, 0.4], 0.8
    np.savetxt(tmp_path / "params_LH_IllustrisTNG.txt", rows)
    config = MassMapIngest(
        processes=1,
        camels_parameters=str(tmp_path / "params_LH_IllustrisTNG.txt"),
        fractions=(0.5, 0.25, 0.25),
        parameters=("omega_m", "a_agn1"),
    )
    summary = ingest_massmaps([tmp_path / "Maps_Mtot_IllustrisTNG_LH_z=0.00.npy"], tmp_path / "shards", config)
    assert (summary.simulations, summary.records) == (4, 60)
    with Shards.open(tmp_path / "shards") as shards:
        about = shards.manifest
        assert (about.box_mpc_h, about.periodic, about.redshifts) == (25.0, True, (0.0,))
        assert about.units == "(Msun/h)/(Mpc/h)^2"
        assert np.array_equal(shards.read(np.arange(60))[..., 0], maps)
        for record in (0, 14, 15, 44, 59):
            assert shards.parameters(np.array([record]))[0] == pytest.approx(rows[record // 15, [0, 3]])
            assert shards.simulation(np.array([record]))[0] == f"LH_IllustrisTNG_{record // 15}"
    again = ingest_massmaps([tmp_path / "Maps_Mtot_IllustrisTNG_LH_z=0.00.npy"], tmp_path / "shards", config)
    assert again.new_shards == 0


def test_kappa_tng_by_its_planes(tmp_path):
    folder, maps = tmp_path / "ktng", kappas(4, 8, 8)
    folder.mkdir()
    for n, name in enumerate(("LP001_run001", "LP001_run002", "LP002_run001", "LP003_run001")):
        with h5py.File(folder / f"{name}_maps.hdf5", "w") as file:
            file["z23/kappa"] = maps[n]
    config = MassMapIngest(processes=1, fractions=(0.4, 0.3, 0.3), parameters=("omega_m", "sigma_8"))
    ingest_massmaps([folder], tmp_path / "shards", config)
    with Shards.open(tmp_path / "shards") as shards:
        assert shards.manifest.side_deg == 5.0
        assert np.array_equal(shards.read(np.arange(4))[..., 0], maps)
        assert list(shards.simulation(np.arange(4))) == ["LP001", "LP001", "LP002", "LP003"]
    for path in folder.iterdir():
        with h5py.File(path, "a") as file:
            file["z05/kappa"] = file["z23/kappa"][:]
    with pytest.raises(InputError, match=r"z05/kappa, z23/kappa \(--set ingest\.key="):
        ingest_massmaps([folder], tmp_path / "which", config)


def test_a_side_in_mpc_is_taken_in_mpc_per_h(tmp_path):
    for n in range(4):
        header = fits.Header({"SIDE": 50.0, "H0": 80.0, "OMEGA_M": 0.2 + 0.05 * n})
        fits.PrimaryHDU(kappas(4, 8, 8)[n], header).writeto(tmp_path / f"{n}.fits")
    ingest_massmaps(sorted(tmp_path.glob("*.fits")), tmp_path / "shards", ONE)
    manifest = Manifest.read(tmp_path / "shards" / "manifest.json")
    assert (manifest.side_deg, manifest.box_mpc_h, manifest.periodic) == (None, 40.0, False)


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (8, 8, 8), (3, 8, 8, 2)])
def test_plain_hdf5_holds_one_map_or_many(tmp_path, shape):
    maps = kappas(4, *shape)
    for n, array in enumerate(maps):
        with h5py.File(tmp_path / f"{n}.h5", "w") as file:
            file["kappa"] = array
            file.attrs.update({"Omega_m": 0.2 + 0.05 * n, "angle_deg": 2.5, "multipoles": (144.0, 1e3 + n)})
    ingest_massmaps(sorted(tmp_path.glob("*.h5")), tmp_path / "shards", ONE)
    with Shards.open(tmp_path / "shards") as shards:
        read = shards.read(np.arange(len(shards)))
        assert (shards.manifest.side_deg, shards.manifest.multipoles) == (2.5, (144.0, 1e3))
        assert shards.manifest.units == "kappa" and not shards.manifest.periodic
        assert len(set(shards.simulation(np.arange(len(shards))))) == 4
    assert np.array_equal(read, maps.reshape(-1, 8, 8, shape[3] if len(shape) == 4 else 1))


@pytest.mark.parametrize(
    ("attributes", "settings", "message"),
    [
        ({"omega_m": 0.3}, {}, r"size of the map: --set ingest\.side_deg=…, ingest\.pixel_arcmin"),
        ({"angle_deg": 2.5}, {}, "no cosmological parameters"),
        ({"omega_m": 0.3, "angle_deg": "2.5"}, {}, "angle_deg: contains"),
        (
            {"omega_m": 0.3, "angle_deg": 2.5, "redshifts": (0.5, 1.0)},
            {},
            "redshifts: 2 redshifts for maps of 1 channels",
        ),
        ({"omega_m": 0.3, "angle_deg": 2.5, "multipoles": 100.0}, {}, "expected minimum and maximum"),
        ({"omega_m": 0.3, "angle_deg": 2.5}, {"key": "table"}, r"table: shape \(8,\) is not that of maps"),
        ({"omega_m": 0.3, "angle_deg": 2.5}, {"key": "wide"}, "is not a square"),
    ],
)
def test_plain_hdf5_with_missing_or_contradicting_metadata_is_refused(tmp_path, attributes, settings, message):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["kappa"], file["table"], file["wide"] = kappas(2, 8, 8), np.zeros(8), kappas(2, 8, 4)
        file.attrs.update(attributes)
    with pytest.raises(InputError, match=message):
        ingest_massmaps([tmp_path / "maps.h5"], tmp_path / "shards", MassMapIngest(processes=1, **settings))


def test_an_ambiguous_dataset_must_be_selected(tmp_path):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["y"], file["dm"] = kappas(2, 8, 8), kappas(2, 8, 8)
    with pytest.raises(InputError, match=r"one of: dm, y \(--set ingest\.key"):
        ingest_massmaps([tmp_path / "maps.h5"], tmp_path / "shards", ONE)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-2880])


def _header(**changes):
    def spoil(path):
        with fits.open(path, mode="update") as hdus:
            for key, value in changes.items():
                if value is None:
                    del hdus[0].header[key]
                else:
                    hdus[0].header[key] = value

    return spoil


def _pixel(path):
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[1, 1, 3, 2] = np.nan


def _oblong(path):
    fits.PrimaryHDU(np.zeros((3, 2, 8, 4), ">f4"), fits.getheader(path)).writeto(path, overwrite=True)


def _digits(path):
    raw = path.read_bytes().replace(b"NAXIS1  =                    8", b"NAXIS1  =                99999")
    path.write_bytes(raw.replace(b"NAXIS2  =                    8", b"NAXIS2  =                99999"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, "requires"),
        (_digits, "GiB"),
        (_oblong, "is not a square"),
        (_pixel, "NaN or infinite"),
        (_header(OMEGA_M=7.0), "is out of range"),
        (_header(OMEGA_M="three"), "expected a number"),
        (_header(ANGLE=None), "lacks the size of the map, ANGLE [degrees], SIDE [Mpc], or CDELT1"),
        (_header(ANGLE=None, SIDE=30.0, H0=None), "cannot be converted to Mpc/h without H0: --set ingest.side_deg"),
        (_header(Z3=1.0), "source redshifts"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.write_bytes(b"\x1f\x8b" + path.read_bytes()), "neither FITS nor HDF5 nor NPY"),
    ],
)
def test_bad_files_are_set_aside_with_their_reason(cubes, tmp_path, spoil, message):
    folder, _ = cubes
    spoil(folder / "maps_2.fits")
    config = MassMapIngest(processes=1, fractions=(0.5, 0.25, 0.25), rejected_threshold=0.5)
    summary = ingest_massmaps([folder], tmp_path / "shards", config)
    assert [reject.source for reject in summary.rejected] == [str(folder / "maps_2.fits")]
    assert message in summary.rejected[0].reason
    assert summary.records == 9
    with (tmp_path / "shards" / "rejected.csv").open(newline="") as listed:
        assert [row["file"] for row in csv.DictReader(listed)] == [str(folder / "maps_2.fits")]


@pytest.mark.parametrize("wrong", [{"format": "netcdf"}, {"side_deg": 0.0}, {"patches_per_side": 0}])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MassMapIngest(**wrong)
