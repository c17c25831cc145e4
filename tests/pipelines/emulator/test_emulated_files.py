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


def emulator(**facts):
    """What `emulate` asks of an emulator of CAMELS' maps, which have a length and no angle."""
    about = {
        "ranges": {"omega_m": (0.1, 0.5), "a_sn1": (0.25, 4.0)}, "units": "(Msun/h)/(Mpc/h)^2", "side_deg": None,
        "box_mpc_h": 25.0 / 3, "periodic": True, "redshifts": (0.0,), "multipoles": None, "fixed": {},
        "sample": lambda count, seed, extrapolate, **parameters: MAPS[:count] * (1 + seed),
    }  # fmt: skip
    return SimpleNamespace(**{**about, **facts})


@pytest.mark.parametrize("ending", [".fits", ".h5"])
@pytest.mark.parametrize("fixed", [{}, {"h": 0.6711, "omega_b": 0.049, "w_0": -0.9}])
def test_maps_with_a_length_come_back_as_they_were_made(tmp_path, monkeypatch, ending, fixed):
    made = emulator(fixed=fixed)
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: made)
    for n in range(3):
        asked = {"omega_m": 0.14 + 0.01 * n, "a_sn1": 0.1 + 0.2}
        emulating.emulate(tmp_path / "run", tmp_path / f"{n}{ending}", 3, asked, seed=n)
    ingest_massmaps(sorted(tmp_path.glob(f"*{ending}")), tmp_path / "data", CONFIG)
    found = Manifest.read(tmp_path / "data" / "manifest.json")
    assert (found.box_mpc_h, found.side_deg) == (float(f"{25 / 3:.6g}"), None)
    assert (found.periodic, found.periodicity_known, found.redshifts) == (True, True, (0.0,))
    assert (found.units, found.parameter_names) == (made.units, ("omega_m", "a_sn1"))
    assert found.simulations[1].parameters == {**fixed, "omega_m": 0.14 + 0.01, "a_sn1": 0.1 + 0.2}
    with Shards.open(tmp_path / "data") as shards:
        assert np.array_equal(shards.read(np.arange(3, 6))[..., 0], MAPS * 2)


def test_a_length_in_mpc_is_written_where_h_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: emulator(box_mpc_h=25.0, fixed={"h": 0.5}))
    emulating.emulate(tmp_path / "run", tmp_path / "maps.fits", 1, {"omega_m": 0.3, "a_sn1": 1.0})
    header = fits.getheader(tmp_path / "maps.fits")
    assert (header["BOXMPCH"], header["SIDE"], header["H0"]) == (25.0, 50.0, 50.0)
    assert "ANGLE" not in header and "W0" not in header  # nobody said what dark energy is
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: emulator(box_mpc_h=25.0))
    emulating.emulate(tmp_path / "run", tmp_path / "maps.h5", 1, {"omega_m": 0.3, "a_sn1": 1.0})
    with h5py.File(tmp_path / "maps.h5") as file:
        assert (file.attrs["box_mpc_h"], file.attrs["periodic"], "angle_deg" in file.attrs) == (25.0, True, False)


@pytest.mark.parametrize("name", ["maps.fits", "maps.h5"])
def test_a_file_of_the_user_is_not_overwritten(tmp_path, monkeypatch, name):
    monkeypatch.setattr(emulating.MassMapEmulator, "load", lambda run: emulator())
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(InputError, match=f"{name}: was not written by tenfold in this way, and would be overwritten"):
        emulating.emulate(tmp_path / "run", path, 1, {"omega_m": 0.3, "a_sn1": 1.0})
    assert path.read_text() == "mine"
    path.unlink()
    for _ in range(2):
        emulating.emulate(tmp_path / "run", path, 1, {"omega_m": 0.3, "a_sn1": 1.0})
