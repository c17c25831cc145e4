import numpy as np
import pytest
from tests.formats.snapshots import uniform, write_swift

from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.swift import read_snapshot
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError


def ones(particles, mass=6.5):
    return np.full(particles, mass)


def test_lengths_have_no_h_in_the_file_and_one_here(tmp_path):
    write_swift(tmp_path / "a.hdf5", {1: (uniform(100, 50.0, dtype=np.float64), ones(100))}, box=50.0, redshift=1.0)
    assert detect_volume_format(tmp_path / "a.hdf5") == "swift"
    snapshot = read_snapshot(tmp_path / "a.hdf5")
    assert snapshot.box_mpc_h == pytest.approx(50 * 0.681)
    assert snapshot.redshift == pytest.approx(1.0)
    assert snapshot.box == pytest.approx(50)
    assert snapshot.mass_unit_msun_h == pytest.approx(0.681e10)
    expected = {"omega_m": 0.304611, "h": 0.681, "omega_b": 0.0486, "omega_k": 0.0, "w_0": -1.0, "w_a": 0.0}
    assert snapshot.parameters == expected


@pytest.mark.parametrize(
    "attributes",
    [{"Value stored as physical": np.array([1], np.int32)}, {"a-scale exponent": np.array([0.0], np.float32)}],
)
def test_physical_positions_are_brought_to_the_comoving_box(tmp_path, attributes):
    x = uniform(500, 50.0, dtype=np.float64)
    types = {1: (x, ones(500))}
    write_swift(tmp_path / "comoving.hdf5", types, box=50.0, redshift=1.0)
    write_swift(tmp_path / "physical.hdf5", {1: (x / 2, ones(500))}, box=50.0, redshift=1.0, positions=attributes)
    comoving, physical = (read_snapshot(tmp_path / f"{name}.hdf5") for name in ("comoving", "physical"))
    assert comoving.box_mpc_h == physical.box_mpc_h
    np.testing.assert_array_equal(comoving.paint(16, "ngp"), physical.paint(16, "ngp"))


def test_different_masses_are_in_msun_h(tmp_path):
    types = {0: (uniform(10, 50.0), ones(10, 1.0)), 1: (uniform(10, 50.0, 1), ones(10, 5.0))}
    write_swift(tmp_path / "a.hdf5", types, box=50.0)
    (volume,) = read_volumes(tmp_path / "a.hdf5", StatedMetadata(mesh=8))
    assert volume.units == "Msun/h"
    # 60e10 Msun = 40.86e10 Msun/h
    assert volume.read(0, 8).sum(dtype=np.float64) == pytest.approx(60e10 * 0.681, rel=1e-6)


def test_a_box_that_is_no_cube_is_refused(tmp_path):
    header = {"BoxSize": np.array([50.0, 50.0, 100.0])}
    write_swift(tmp_path / "a.hdf5", {1: (uniform(9, 50.0), ones(9))}, box=50.0, header=header)
    with pytest.raises(UnusableFileError, match="only cubic boxes are painted"):
        read_snapshot(tmp_path / "a.hdf5")


def test_sampled_types_are_not_added(tmp_path):
    types = {0: (uniform(10, 50.0), ones(10)), 1: (uniform(10, 50.0, 1), ones(10))}
    write_swift(tmp_path / "a.hdf5", types, box=50.0, header={"OutputType": np.bytes_("SubSampled")})
    with pytest.raises(UnusableFileError, match="is SubSampled: the types may be sampled differently"):
        read_snapshot(tmp_path / "a.hdf5")
    assert read_snapshot(tmp_path / "a.hdf5", StatedMetadata(particle_types=(1,))).particles == 10


def test_the_unit_of_length_needs_no_statement(tmp_path):
    write_swift(tmp_path / "a.hdf5", {1: (uniform(9, 50.0), ones(9))}, box=50.0)
    with pytest.raises(UnusableFileError, match=r"leave out ingest\.length_unit"):
        read_snapshot(tmp_path / "a.hdf5", StatedMetadata(length_unit="Mpc"))
