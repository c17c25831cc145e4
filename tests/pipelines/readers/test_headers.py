import h5py
import numpy as np
import pytest
from astropy.io import fits
from tests.formats.plain import write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps

CONFIG = MassMapIngest(processes=1, fractions=(0.4, 0.3, 0.3))


def lenstools(path, seed=0, **header):
    """A convergence map as LensTools writes it."""
    image = np.random.default_rng(seed).normal(size=(8, 8))
    cards = {"ANGLE": 3.5, "H0": 72.0, "OMEGA_M": 0.26, "OMEGA_L": 0.74, "W0": -1.0, "WA": 0.0, "Z": 2.0, **header}
    fits.PrimaryHDU(image, fits.Header({k: v for k, v in cards.items() if v is not None})).writeto(path)


def ingested(tmp_path, **settings):
    config = MassMapIngest(processes=1, fractions=(0.4, 0.3, 0.3), **settings)
    ingest_massmaps(sorted([*tmp_path.glob("*.fits"), *tmp_path.glob("*.hdf5")]), tmp_path / "data", config)
    return Manifest.read(tmp_path / "data" / "manifest.json")


def test_a_varying_dark_energy_equation_of_state_is_a_target(tmp_path):
    for n in range(4):
        lenstools(tmp_path / f"{n}.fits", n, W0=-1.0 + 0.1 * n)
    manifest = ingested(tmp_path)
    assert manifest.parameter_names == ("w_0",)
    assert [simulation.parameters["w_0"] for simulation in manifest.simulations] == pytest.approx(
        [-1.0, -0.9, -0.8, -0.7]
    )
    assert manifest.simulations[0].parameters == {
        "omega_m": 0.26, "h": 0.72, "omega_k": 0.0, "w_0": -1.0, "w_a": 0.0,
    }  # fmt: skip


def test_varying_curvature_is_a_target(tmp_path):
    for n in range(4):
        lenstools(tmp_path / f"{n}.fits", n, OMEGA_L=0.74 - 0.01 * n)
    manifest = ingested(tmp_path)
    assert manifest.parameter_names == ("omega_k",)
    assert [simulation.parameters["omega_k"] for simulation in manifest.simulations] == pytest.approx(
        [0.0, 0.01, 0.02, 0.03]
    )


def test_the_dark_energy_density_of_a_flat_cosmology_is_not_a_second_target(tmp_path):
    for n in range(4):
        lenstools(tmp_path / f"{n}.fits", n, OMEGA_M=0.2 + 0.05 * n, OMEGA_L=0.8 - 0.05 * n)
    assert ingested(tmp_path).parameter_names == ("omega_m",)


@pytest.mark.parametrize(
    ("row", "settings", "message"),
    [
        ({"Omega_m": 0.3}, {}, "omega_m is 0.26 in the file, but 0.3 in the table of parameters"),
        ({"w0": -0.9}, {}, "w_0 is -1 in the file, but -0.9 in the table of parameters"),
        (None, {"side_deg": 5.0}, "ANGLE is 3.5 in the file, but ingest.side_deg is 5"),
        (None, {"box_mpc_h": 25.0}, "ANGLE: the side is an angle, but ingest.box_mpc_h is a length"),
        (None, {"redshifts": (1.0,)}, r"redshifts is \(2\) in the file, but ingest.redshifts is \(1\)"),
    ],
)
def test_contradicting_the_header_is_an_error_with_both_values(tmp_path, row, settings, message):
    for n in range(4):
        lenstools(tmp_path / f"{n}.fits", n)
    if row:
        rows = [{"file": f"{n}.fits", **row} for n in range(4)]
        settings = {"table": str(write_table(tmp_path / "table.csv", rows))}
    with pytest.raises(InputError, match=message):
        ingested(tmp_path, **settings)


def test_a_unit_in_the_header_is_not_overridden(tmp_path):
    lenstools(tmp_path / "a.fits", BUNIT="kappa")
    with pytest.raises(InputError, match=r"units is kappa in the file, but ingest.units is delta"):
        ingested(tmp_path, units="delta")


def test_realisations_of_one_cosmology_are_distinguished_by_a_column(tmp_path):
    for n in range(6):
        lenstools(tmp_path / f"{n}.fits", n)
    with pytest.raises(InputError, match=r"1 simulation cannot be split .* column `simulation` in ingest.table"):
        ingested(tmp_path)
    rows = [{"file": f"{n}.fits", "simulation": f"realisation {n // 2}"} for n in range(6)]
    manifest = ingested(tmp_path, table=str(write_table(tmp_path / "table.csv", rows)))
    assert [simulation.simulation for simulation in manifest.simulations] == [f"realisation {n // 2}" for n in range(6)]


def kappa_tng(path, seed):
    with h5py.File(path, "w") as file:
        file["z23/kappa"] = np.random.default_rng(seed).normal(size=(8, 8))


def test_contradicting_the_known_metadata_of_kappa_tng_is_an_error(tmp_path):
    for n in range(3):
        kappa_tng(tmp_path / f"LP00{n}_run001_maps.hdf5", n)
    rows = [{"file": f"LP00{n}_run001_maps.hdf5", "Omega_m": 0.3} for n in range(3)]
    with pytest.raises(InputError, match=r"omega_m is 0.3089 in the file, but 0.3 in the table"):
        ingested(tmp_path, table=str(write_table(tmp_path / "table.csv", rows)))
    with pytest.raises(InputError, match=r"side_deg is 5 in the file, but ingest.side_deg is 3.5"):
        ingested(tmp_path, side_deg=3.5)


def test_other_files_do_not_get_the_cosmology_of_kappa_tng(tmp_path):
    kappa_tng(tmp_path / "mine.hdf5", 0)
    with pytest.raises(InputError, match="not that of a κTNG file"):
        ingested(tmp_path)
    rows = [{"file": "mine.hdf5", "Omega_m": 0.3}]
    table = str(write_table(tmp_path / "table.csv", rows))
    with pytest.raises(InputError, match="the side of the map is unknown"):
        ingested(tmp_path, table=table)


def test_maps_with_a_length_are_periodic_only_if_the_header_states_it(tmp_path):
    for n in range(3):
        lenstools(tmp_path / f"{n}.fits", n, ANGLE=None, SIDE=50.0, OMEGA_M=0.2 + n / 20, OMEGA_L=None)
    manifest = ingested(tmp_path)
    assert (manifest.periodic, manifest.periodicity_known) == (False, False)
    for path in tmp_path.glob("*.fits"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["PERIODIC"] = True
    ingest_massmaps(sorted(tmp_path.glob("*.fits")), tmp_path / "periodic", CONFIG)
    assert Manifest.read(tmp_path / "periodic" / "manifest.json").periodic
