import h5py
import numpy as np
import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.simulation.boxes import existing_files, read_box_record, read_config, write_box
from tenfold.pipelines.simulation.cosmology import Cosmology

CONFIG = {"box_mpc_h": 64.0, "particles": 8, "mesh_factor": 2, "steps": 4, "assignment": "ngp", "redshifts": (0.5, 0.0)}


def write(path, config=CONFIG):
    write_box(
        path,
        np.arange(8**3 * 2, dtype=np.int16).reshape(8, 8, 8, 2),
        cosmology=Cosmology(omega_m=0.4, h=0.68),
        ranges={"omega_m": (0.1, 0.5)},
        redshifts=(0.5, 0.0),
        seed=123456789,
        universe="seed_1_box_00000",
        units="counts",
        config=config,
    )


def test_a_box_has_cosmoflow_s_layout(tmp_path):
    write(tmp_path / "box.h5")
    with h5py.File(tmp_path / "box.h5") as file:
        assert file["full"].shape == (8, 8, 8, 2)
        assert file["full"].dtype == np.int16
        named = dict(zip(file["namePar"][:], file["physPar"][:], strict=True))
        assert named == {b"Omega_m": 0.4, b"sigma_8": 0.8, b"N_spec": 0.96, b"H_0": 68.0, b"Omega_b": 0.049}
        assert file["unitPar"][:] == pytest.approx([0.5, 0, 0, 0, 0])
        assert file["redshifts"][:].tolist() == [0.5, 0.0]
        assert file.attrs["seed9"] == 123456789
        assert file.attrs["universe_tag"] == "seed_1_box_00000"
        assert list(file.attrs["varied"]) == ["omega_m"]
        assert file.attrs["box_mpc_h"] == 64.0
        assert file.attrs["particles"] == 8


def test_finished_boxes_are_those_of_the_same_configuration(tmp_path):
    here, gone = tmp_path / "box.h5", tmp_path / "other.h5"
    write(here)
    assert existing_files([here, gone], CONFIG, read_config) == {here}
    with pytest.raises(InputError, match=r"box\.h5.*steps is 4, requested 5.*another output folder"):
        existing_files([here, gone], CONFIG | {"steps": 5}, read_config)


def test_a_file_that_is_not_a_box_is_named(tmp_path):
    path = tmp_path / "box.h5"
    path.write_bytes(b"half a box")
    with pytest.raises(InputError, match=r"box\.h5: not a box written by tenfold"):
        read_box_record(path)
    with h5py.File(path, "w") as file:
        file["full"] = 1
    with pytest.raises(InputError, match="not a box written by tenfold"):
        read_box_record(path)
