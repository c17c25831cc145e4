import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.simulation.config import Simulation, estimate_size
from tenfold.pipelines.simulation.simulate import simulate_volumes
from tenfold.pipelines.simulation.surrogates import simulate_surrogates
from tenfold.pipelines.storage.output_folder import RECORD
from tenfold.stats.power import overdensity, power_spectrum

pytestmark = pytest.mark.slow

# only σ8 varies: one call of CAMB
SMALL = Simulation(
    count=3,
    particles=16,
    grid=16,
    box_mpc_h=32.0,
    steps=4,
    redshifts=(0.0, 1.0),
    ranges={"sigma_8": (0.6, 1.0)},
    processes=1,
)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    out = tmp_path_factory.mktemp("boxes")
    summary = simulate_volumes(SMALL, out)
    assert (summary.made, summary.kept) == (3, 0)
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RECORD}


def test_every_particle_is_counted_once_at_every_redshift(boxes):
    for path in sorted(boxes.glob("box_*.h5")):
        with h5py.File(path) as file:
            assert file["full"].dtype == np.int16
            assert file["full"][:].sum(axis=(0, 1, 2), dtype=np.int64).tolist() == [16**3, 16**3]


def test_structure_has_grown_since_redshift_one(boxes):
    with h5py.File(boxes / "box_00000.h5") as file:
        today, before = (power_spectrum(overdensity(file["full"][..., n]), 32.0) for n in (0, 1))
        assert file["redshifts"][:].tolist() == [0.0, 1.0]
    assert np.all(today.power[:4] > before.power[:4])


def test_boxes_differ_in_seed_and_cosmology(boxes):
    seeds, sigmas = set(), set()
    for path in boxes.glob("box_*.h5"):
        with h5py.File(path) as file:
            seeds.add(int(file.attrs["seed"]))
            sigmas.add(float(file["physPar"][1]))
            assert -1 <= file["unitPar"][1] <= 1
    assert len(seeds) == len(sigmas) == 3


def test_finished_boxes_are_never_made_again_and_more_can_be_added(boxes):
    before = contents(boxes)
    assert simulate_volumes(SMALL, boxes).made == 0
    assert contents(boxes) == before
    summary = simulate_volumes(replace(SMALL, count=4), boxes)
    assert (summary.made, summary.kept) == (1, 3)
    assert before.items() <= contents(boxes).items()


def test_a_lost_box_is_reproduced_exactly(boxes):
    path = boxes / "box_00001.h5"
    with h5py.File(path) as file:
        full = file["full"][:]
    path.unlink()
    assert simulate_volumes(SMALL, boxes).made == 1
    with h5py.File(path) as file:
        assert np.array_equal(file["full"][:], full)


def test_another_configuration_in_the_folder_is_refused(boxes):
    with pytest.raises(InputError, match=r"steps is 4, requested 5"):
        simulate_volumes(replace(SMALL, steps=5), boxes)


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        simulate_volumes(SMALL, tmp_path / "file" / "boxes")


def test_a_killed_run_leaves_no_partial_box_and_is_resumed(tmp_path):
    out = tmp_path / "boxes"
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tenfold.pipelines.simulation.config import Simulation
        from tenfold.pipelines.simulation.simulate import simulate_volumes
        simulate_volumes(
            Simulation(
                count=500, particles=16, grid=16, box_mpc_h=32.0, steps=4, ranges={"sigma_8": (0.6, 1.0)}, processes=1
            ),
            Path(sys.argv[1]),
        )
    """)
    process = subprocess.Popen([sys.executable, "-c", script, str(out)], stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(out.glob("box_*.h5"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = sorted(out.glob("box_*.h5"))
    assert 3 <= len(made) < 500
    for path in made:
        with h5py.File(path) as file:
            assert file["full"][:].sum() == 16**3
    (out / ".box_00400.h5.0123456789ab.part").write_bytes(b"half")
    count = len(made) + 1
    summary = simulate_volumes(replace(SMALL, count=count, redshifts=(0.0,)), out)
    assert (summary.made, summary.kept) == (1, len(made))
    assert [path.name for path in out.glob(".*")] == [RECORD]


def test_two_processes_make_the_same_boxes_as_one(boxes, tmp_path):
    simulate_volumes(replace(SMALL, count=2, processes=2), tmp_path)
    for name in ("box_00000.h5", "box_00001.h5"):
        with h5py.File(tmp_path / name) as parallel, h5py.File(boxes / name) as serial:
            assert np.array_equal(parallel["full"][:], serial["full"][:])
            assert parallel.attrs["seed"] == serial.attrs["seed"]


def test_cloud_in_cell_boxes_hold_the_same_mass(tmp_path):
    simulate_volumes(replace(SMALL, count=1, assignment="cic", redshifts=(0.0,)), tmp_path)
    with h5py.File(tmp_path / "box_00000.h5") as file:
        assert file["full"].dtype == np.float32
        assert file["full"][:].sum(dtype=np.float64) == pytest.approx(16**3, rel=1e-6)
        assert file.attrs["units"] == "particles"


def test_surrogates_have_the_power_names_and_parameters_of_their_boxes(boxes, tmp_path):
    assert simulate_surrogates(boxes, tmp_path, seed=7, processes=1).made == len(list(boxes.glob("box_*.h5")))
    with h5py.File(boxes / "box_00002.h5") as box, h5py.File(tmp_path / "box_00002.h5") as surrogate:
        assert surrogate["full"].dtype == np.float32
        for channel in (0, 1):
            delta = overdensity(box["full"][..., channel])
            surrogate_power = power_spectrum(np.ascontiguousarray(surrogate["full"][..., channel]), 32.0).power
            assert surrogate_power == pytest.approx(power_spectrum(delta, 32.0).power, rel=1e-4)
        assert np.array_equal(surrogate["physPar"][:], box["physPar"][:])
        assert surrogate.attrs["universe_tag"] == box.attrs["universe_tag"]
        assert surrogate.attrs["units"] == "overdensity"
    assert simulate_surrogates(boxes, tmp_path, seed=7, processes=1).made == 0
    with pytest.raises(InputError, match="surrogate_seed"):
        simulate_surrogates(boxes, tmp_path, seed=8, processes=1)


def test_surrogates_need_boxes_and_a_folder_of_their_own(boxes, tmp_path):
    with pytest.raises(InputError, match="Simulate boxes first"):
        simulate_surrogates(tmp_path, tmp_path / "surrogates", seed=1)
    with pytest.raises(InputError, match="another folder"):
        simulate_surrogates(boxes, boxes, seed=1)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"count": 0}, "count: found 0"),
        ({"particles": 15}, "particles: found 15, must be even"),
        ({"mesh_factor": 9}, "mesh_factor: found 9"),
        ({"box_mpc_h": -1.0}, "box_mpc_h: found -1"),
        ({"assignment": "tsc"}, "assignment: found 'tsc'"),
        ({"redshifts": ()}, "redshifts"),
        ({"redshifts": (99.0,)}, "redshifts.*99"),
        ({"ranges": {"Omega_m": (0.1, 0.5)}}, "ranges: found Omega_m, must be one of omega_m"),
        ({"ranges": {"omega_m": (0.5, 0.1)}}, "ranges: found omega_m from 0.5 to 0.1"),
        ({"ranges": {"omega_b": (0.05, 0.2), "omega_m": (0.1, 0.5)}}, "omega_b up to 0.2"),
    ],
)
def test_a_wrong_value_is_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        Simulation(**wrong)


def test_the_estimated_size_is_that_of_the_files(boxes):
    size = estimate_size(SMALL)
    assert size.boxes == 3
    assert size.bytes == pytest.approx(3 * (boxes / "box_00000.h5").stat().st_size, rel=0.5)
    assert "3 boxes" in str(size)
