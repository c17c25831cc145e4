import numpy as np
import pytest

from tenfold.pipelines.simulation.painting import paint


def test_a_particle_counts_in_the_cell_it_is_in():
    counts = paint(np.array([[0.1, 0.3, 0.9], [0.1, 0.3, 0.9]], np.float32), 4, "ngp")
    assert counts.dtype == np.int16
    assert counts[0, 1, 3] == 2
    assert counts.sum() == 2


def test_a_cloud_is_shared_by_its_eight_mesh_points():
    mesh = paint(np.array([[0.3125, 0.5, 0.9375]], np.float32), 4, "cic")  # at (1.25, 2, 3.75): z wraps
    assert mesh.dtype == np.float32
    assert mesh[1, 2, 3] == pytest.approx(0.75 * 0.25)
    assert mesh[1, 2, 0] == pytest.approx(0.75 * 0.75)
    assert mesh[2, 2, 0] == pytest.approx(0.25 * 0.75)
    assert np.count_nonzero(mesh) == 4


def test_no_particle_is_lost():
    positions = np.random.default_rng(0).random((100_000, 3), dtype=np.float32)
    positions[:8] = np.stack(np.meshgrid((0, 1), (0, 1), (0, 1)), -1).reshape(8, 3)  # 1 is the other name of 0
    assert paint(positions, 16, "ngp").sum(dtype=np.int64) == 100_000
    assert paint(positions, 16, "cic").sum(dtype=np.float64) == pytest.approx(100_000, rel=1e-6)


def test_more_particles_than_int16_holds_are_still_counted():
    counts = paint(np.zeros((40_000, 3), np.float32), 4, "ngp")
    assert counts[0, 0, 0] == 40_000


def test_an_unknown_assignment_is_named():
    with pytest.raises(ValueError, match=r'"ngp" or "cic".*tsc'):
        paint(np.zeros((1, 3), np.float32), 4, "tsc")
