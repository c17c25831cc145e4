from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.formats.snapshots import uniform, write_gadget

from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.gadget import read_snapshot
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

REAL = Path(__file__).parents[4] / "shared/data/cosmology/snapshots/gadget4_snapshot_000.hdf5"
KPC_H = StatedMetadata(length_unit="kpc/h")


def particles_of(snapshot):
    """All positions and masses of each type, put together."""
    found = {}
    for kind in snapshot.types:
        blocks = list(snapshot.blocks(kind))
        masses = None if kind.mass is not None else np.concatenate([block.masses for block in blocks])
        found[kind.number] = np.concatenate([block.positions for block in blocks]), masses
    return found


def volume_of(path, **stated):
    (found,) = ((volume, volume.read(0, volume.shape[0])) for volume in read_volumes(path, StatedMetadata(**stated)))
    return found


@pytest.mark.skipif(not REAL.exists(), reason="the real files of ../shared are not here")
def test_a_real_snapshot_of_gadget_4_is_read_to_the_last_bit():
    snapshot = read_snapshot(REAL)
    # BoxSize 50000 × 3.085678e21 cm / h; Time = 1 / (1 + z)
    assert (snapshot.box_mpc_h, snapshot.box) == (50.0, 50000.0)
    assert snapshot.redshift == pytest.approx(5.040105350007158)
    assert snapshot.parameters == {"omega_m": 0.3, "h": 0.7, "omega_b": 0.04, "omega_k": 0.0}
    assert [(kind.number, kind.particles) for kind in snapshot.types] == [(0, 32**3), (1, 32**3)]
    assert snapshot.mass_unit_msun_h == 1e10
    # the mean density of all particles is Ω_m: masses, lengths and their units agree
    mass = sum(kind.mass * kind.particles for kind in snapshot.types) * snapshot.mass_unit_msun_h
    assert mass / snapshot.box_mpc_h**3 / 2.77536627e11 == pytest.approx(0.3, rel=1e-3)
    with h5py.File(REAL) as file:
        for number, (positions, masses) in particles_of(snapshot).items():
            np.testing.assert_array_equal(positions, file[f"PartType{number}/Coordinates"][:])
            assert masses is None
        x = np.concatenate([file[f"PartType{n}/Coordinates"][:] for n in (0, 1)])
    cells = (x.astype(np.float64) * (16 / 50000)).astype(int) % 16
    counts = np.zeros((16, 16, 16), int)
    np.add.at(counts, tuple(cells.T), 1)
    np.testing.assert_array_equal(snapshot.paint(16, "ngp", masses=False), counts)


@pytest.mark.skipif(not REAL.exists(), reason="the real files of ../shared are not here")
def test_the_dark_matter_of_a_real_snapshot_is_counted():
    volume, cells = volume_of(REAL, mesh=16, assignment="ngp", particle_types=(1,))
    assert (volume.units, volume.dtype, volume.redshifts, volume.periodic) == ("counts", np.int32, (5.04,), True)
    assert cells.sum() == 32**3


def test_several_files_are_one_snapshot(tmp_path):
    x = uniform(1000, 25000.0)
    first, *_ = write_gadget(tmp_path / "snap_004.hdf5", {1: (x, 0.05)}, box=25000.0, files=3)
    assert first.name == "snap_004.0.hdf5"
    assert detect_volume_format(first) == "gadget"
    snapshot = read_snapshot(first, KPC_H)
    assert [path.name for path in snapshot.files] == ["snap_004.0.hdf5", "snap_004.1.hdf5", "snap_004.2.hdf5"]
    np.testing.assert_array_equal(particles_of(snapshot)[1][0], x)


def test_a_missing_file_of_a_snapshot_is_named(tmp_path):
    paths = write_gadget(tmp_path / "snap_004.hdf5", {1: (uniform(90, 1e3), 1.0)}, box=1e3, files=3)
    paths[1].unlink()
    with pytest.raises(UnusableFileError, match=r"3 files, of which snap_004\.1\.hdf5 is missing"):
        read_snapshot(paths[0], KPC_H)
    with pytest.raises(UnusableFileError, match=r"3 files, of which snap_004\.1\.hdf5 is missing"):
        read_snapshot(paths[2], KPC_H)


def test_a_file_that_is_not_the_first_names_the_first(tmp_path):
    paths = write_gadget(tmp_path / "snap_004.hdf5", {1: (uniform(90, 1e3), 1.0)}, box=1e3, files=3)
    with pytest.raises(UnusableFileError, match=r"name the first, snap_004\.0\.hdf5"):
        read_snapshot(paths[2], KPC_H)


def test_a_file_of_another_snapshot_is_named(tmp_path):
    paths = write_gadget(tmp_path / "snap_004.hdf5", {1: (uniform(90, 1e3), 1.0)}, box=1e3, files=2)
    write_gadget(tmp_path / "other.hdf5", {1: (uniform(90, 1e3), 1.0)}, box=1e3, redshift=1.0, files=2)
    (tmp_path / "other.1.hdf5").replace(paths[1])
    with pytest.raises(UnusableFileError, match=r"snap_004\.1\.hdf5, Header/Redshift: is 1\.0.*from another snapshot"):
        read_snapshot(paths[0], KPC_H)


def test_the_high_word_counts_thousands_of_millions_of_particles(tmp_path):
    high = {"NumPart_Total_HighWord": np.array([0, 1, 0, 0, 0, 0], np.uint32)}
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(8, 1e3), 1.0)}, box=1e3, header=high)
    with pytest.raises(UnusableFileError, match="contains 8 of 4,294,967,304 particles of type 1: incomplete"):
        read_snapshot(tmp_path / "a.hdf5", KPC_H)


@pytest.mark.parametrize(("box", "likely"), [(1e6, "kpc/h"), (500.0, "Mpc/h")])
def test_a_unit_of_length_is_suggested_and_never_guessed(tmp_path, box, likely):
    side = box / 1000 if likely == "kpc/h" else box
    mass = 0.3175 * 27.7536627 * side**3 / 512  # [1e10 Msun/h]: the mean density of the box
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(512, box), mass)}, box=box)
    with pytest.raises(UnusableFileError, match=rf"no unit of length is stated.*ingest\.length_unit={likely}$"):
        read_snapshot(tmp_path / "a.hdf5")
    assert read_snapshot(tmp_path / "a.hdf5", StatedMetadata(length_unit=likely)).box_mpc_h == pytest.approx(side)


def test_lengths_without_h_are_converted(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(8, 1e3), 1.0)}, box=100.0)
    snapshot = read_snapshot(tmp_path / "a.hdf5", StatedMetadata(length_unit="Mpc"))
    assert snapshot.box_mpc_h == pytest.approx(67.11)


def test_a_stated_unit_that_contradicts_the_file_is_refused(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(8, 1e3), 1.0)}, box=1e3, producer="arepo")
    assert read_snapshot(tmp_path / "a.hdf5", KPC_H).box_mpc_h == 1.0
    with pytest.raises(UnusableFileError, match=r"3\.08568e\+21 cm .* but ingest\.length_unit is Mpc/h"):
        read_snapshot(tmp_path / "a.hdf5", StatedMetadata(length_unit="Mpc/h"))


@pytest.mark.parametrize("producer", ["gadget4", "arepo"])
def test_particles_of_different_mass_are_painted_by_mass(tmp_path, producer):
    gas, dark = uniform(100, 1e4, 1), uniform(50, 1e4, 2)
    masses = np.random.default_rng(3).random(100).astype(np.float32) + 1
    write_gadget(tmp_path / "a.hdf5", {0: (gas, masses), 1: (dark, 5.0)}, box=1e4, producer=producer, blosc=True)
    volume, cells = volume_of(tmp_path / "a.hdf5", mesh=8, assignment="tsc")
    assert (volume.units, volume.dtype, volume.expected_total) == ("Msun/h", np.float32, None)
    expected = (masses.sum(dtype=np.float64) + 250) * 1e10
    assert cells.sum(dtype=np.float64) == pytest.approx(expected, rel=1e-6)


def test_masses_that_are_all_equal_need_no_unit(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(64, 1e4), np.full(64, 2.5, np.float32))}, box=1e4)
    volume, cells = volume_of(tmp_path / "a.hdf5", mesh=8, assignment="ngp", length_unit="kpc/h")
    assert (volume.units, cells.sum()) == ("counts", 64)


def test_masses_without_a_unit_need_one(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {0: (uniform(9, 1e4), 1.0), 1: (uniform(9, 1e4), 5.0)}, box=1e4)
    with pytest.raises(UnusableFileError, match="differ in mass, and the header states no unit of mass"):
        volume_of(tmp_path / "a.hdf5", mesh=8, length_unit="kpc/h")
    volume, cells = volume_of(tmp_path / "a.hdf5", mesh=8, length_unit="kpc/h", units="1e10 Msun/h")
    assert volume.units == "1e10 Msun/h"
    assert cells.sum() == pytest.approx(54)


def test_tracers_without_positions_are_not_matter(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(9, 1e4), 1.0), 3: (uniform(5, 1e4), 0.0)}, box=1e4)
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        del file["PartType3/Coordinates"]
    assert [kind.number for kind in read_snapshot(tmp_path / "a.hdf5", KPC_H).types] == [1]


def test_a_type_without_particles_is_refused_with_those_that_exist(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(9, 1e4), 1.0)}, box=1e4)
    with pytest.raises(UnusableFileError, match=r"no particles of type 4 \(ingest.particle_types\); it has 1 \(9\)"):
        read_snapshot(tmp_path / "a.hdf5", StatedMetadata(particle_types=(1, 4), length_unit="kpc/h"))


def test_without_a_mesh_one_is_proposed(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(16**3, 1e4), 1.0)}, box=1e4)
    with pytest.raises(UnusableFileError, match=r"4,096 of type 1 \(dark matter\)\): state .*ingest\.mesh=16"):
        volume_of(tmp_path / "a.hdf5", length_unit="kpc/h")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.nan, "1 positions are NaN or infinite"), (2.5e4, "more than a box side outside"), (-1.5e4, "more than a box")],
)
def test_impossible_positions_are_refused_with_their_file(tmp_path, value, reason):
    x = uniform(90, 1e4)
    x[80, 1] = value
    paths = write_gadget(tmp_path / "snap.hdf5", {1: (x, 1.0)}, box=1e4, files=2)
    with pytest.raises(UnusableFileError, match=rf"snap\.1\.hdf5, PartType1/Coordinates: .*{reason}"):
        volume_of(paths[0], mesh=8, length_unit="kpc/h")


def test_positions_beyond_the_border_are_wrapped(tmp_path):
    x = np.array([[1e4, -1.0, 5e3], [10001.0, 9999.0, 5e3]])  # cells (0, 7, 4) of 8 per side, both
    write_gadget(tmp_path / "a.hdf5", {1: (x, 1.0)}, box=1e4)
    _, cells = volume_of(tmp_path / "a.hdf5", mesh=8, assignment="ngp", length_unit="kpc/h")
    assert cells[0, 7, 4, 0] == 2


def test_a_simulation_that_is_not_cosmological_is_refused(tmp_path):
    write_gadget(tmp_path / "a.hdf5", {1: (uniform(9, 1e4), 1.0)}, box=1e4, header={"Time": 3.7})
    with pytest.raises(UnusableFileError, match=r"Header/Time, the scale factor, is 3\.7: not a cosmological"):
        read_snapshot(tmp_path / "a.hdf5", KPC_H)


@pytest.mark.parametrize(("files", "simulation"), [(1, "Om0.3_snap"), (2, "Om0.3_snap")])
def test_decimals_in_the_name_of_a_snapshot_belong_to_its_simulation(tmp_path, files, simulation):
    types = {1: (uniform(64, 50.0), 1.0)}
    first = write_gadget(tmp_path / "Om0.3_snap.hdf5", types, box=50.0, files=files)[0]
    (volume,) = read_volumes(first, StatedMetadata(mesh=4, length_unit="Mpc/h"))
    assert volume.simulation == simulation
