"""Files of generated maps: FITS and HDF5, read back by the ingestion, and never written over a user's file."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from astropy.io import fits

from tenfold.pipelines.emulator import train as emulating
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

MAPS = np.random.default_rng(0).lognormal(size=(3, 8, 8)).astype(np.float32)
CONFIG = MassMapIngest(processes=1, fractions=(0.4, 0.3, 0.3))


def stub_emulator(**attributes):
    """Stand-in for an emulator of CAMELS maps, which have a length instead of an angle."""
    defaults = {
        "ranges": {"omega_m": (0.1, 0.5), "a_sn1": (0.25, 4.0)}, "units": "(Msun/h)/(Mpc/h)^2", "side_deg": None,
        "box_mpc_h": 25.0 / 3, "periodic": True, "redshifts": (0.0,), "multipoles": None, "fixed": {},
        "sample": lambda count, seed, extrapolate, **parameters: MAPS[:count] * (1 + seed),
    }  # fmt: skip
    return SimpleNamespace(**{**defaults, **attributes})


@pytest.mark.parametrize("ending", [".fits", ".h5"])
@pytest.mark.parametrize("fixed", [{}, {"h": 0.6711, "omega_b": 0.049, "w_0": -0.9}])
def test_maps_with_a_length_survive_writing_and_ingesting(tmp_path, monkeypatch, ending, fixed):
    emulator = stub_emulator(fixed=fixed)
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: emulator)
    for n in range(3):
        parameters = {"omega_m": 0.14 + 0.01 * n, "a_sn1": 0.1 + 0.2}
        emulating.emulate(tmp_path / "run", tmp_path / f"{n}{ending}", 3, parameters, seed=n)
    ingest_massmaps(sorted(tmp_path.glob(f"*{ending}")), tmp_path / "data", CONFIG)
    manifest = Manifest.read(tmp_path / "data" / "manifest.json")
    assert (manifest.box_mpc_h, manifest.side_deg) == (float(f"{25 / 3:.6g}"), None)
    assert (manifest.periodic, manifest.periodicity_known, manifest.redshifts) == (True, True, (0.0,))
    assert (manifest.units, manifest.parameter_names) == (emulator.units, ("omega_m", "a_sn1"))
    assert manifest.simulations[1].parameters == {**fixed, "omega_m": 0.14 + 0.01, "a_sn1": 0.1 + 0.2}
    with Shards.open(tmp_path / "data") as shards:
        assert np.array_equal(shards.read(np.arange(3, 6))[..., 0], MAPS * 2)


def test_a_length_in_mpc_is_written_if_h_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: stub_emulator(box_mpc_h=25.0, fixed={"h": 0.5}))
    emulating.emulate(tmp_path / "run", tmp_path / "maps.fits", 1, {"omega_m": 0.3, "a_sn1": 1.0})
    header = fits.getheader(tmp_path / "maps.fits")
    assert (header["BOXMPCH"], header["SIDE"], header["H0"]) == (25.0, 50.0, 50.0)
    assert "ANGLE" not in header and "W0" not in header  # dark energy is not specified
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: stub_emulator(box_mpc_h=25.0))
    emulating.emulate(tmp_path / "run", tmp_path / "maps.h5", 1, {"omega_m": 0.3, "a_sn1": 1.0})
    with h5py.File(tmp_path / "maps.h5") as file:
        assert (file.attrs["box_mpc_h"], file.attrs["periodic"], "angle_deg" in file.attrs) == (25.0, True, False)


@pytest.mark.parametrize("name", ["maps.fits", "maps.h5"])
def test_files_of_the_user_are_not_overwritten(tmp_path, monkeypatch, name):
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: stub_emulator())
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(InputError, match=f"{name}: was not written by tenfold in this way, and would be overwritten"):
        emulating.emulate(tmp_path / "run", path, 1, {"omega_m": 0.3, "a_sn1": 1.0})
    assert path.read_text() == "mine"
    path.unlink()
    for _ in range(2):
        emulating.emulate(tmp_path / "run", path, 1, {"omega_m": 0.3, "a_sn1": 1.0})
