import numpy as np
import pytest
from tests.formats.snapshots import uniform, write_gadget_binary

from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.gadget_binary import read_snapshot
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

KPC_H = StatedMetadata(length_unit="kpc/h")


def particles_of(snapshot):
    found = {}
    for kind in snapshot.types:
        blocks = list(snapshot.blocks(kind))
        masses = None if kind.mass is not None else np.concatenate([block.masses for block in blocks])
        found[kind.number] = np.concatenate([block.positions for block in blocks]), masses
    return found


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_positions_and_masses_are_read_to_the_last_bit(tmp_path, version, order, dtype):
    gas, dark, stars = (uniform(n, 1e5, n, dtype) for n in (50, 70, 20))
    masses = np.random.default_rng(0).random((2, 50)).astype(dtype)
    types = {0: (gas, masses[0]), 1: (dark, 5.0), 4: (stars, masses[1, :20])}
    first, *_ = write_gadget_binary(
        tmp_path / "snap_004", types, box=1e5, redshift=1.0, version=version, order=order, files=3
    )
    assert first.name == "snap_004.0"
    assert detect_volume_format(first) == "gadget-binary"
    snapshot = read_snapshot(first, KPC_H)
    assert (snapshot.box_mpc_h, snapshot.redshift, len(snapshot.files)) == (100.0, 1.0, 3)
    assert snapshot.parameters == pytest.approx({"omega_m": 0.3175, "h": 0.6711, "omega_k": 0.0})
    assert [(kind.number, kind.particles, kind.mass) for kind in snapshot.types] == [
        (0, 50, None), (1, 70, 5.0), (4, 20, None),
    ]  # fmt: skip
    found = particles_of(snapshot)
    for number, (positions, mass) in types.items():
        np.testing.assert_array_equal(found[number][0], positions)
        assert found[number][0].dtype == dtype
        assert found[number][1] is None if number == 1 else np.array_equal(found[number][1], mass)


def test_a_type_is_painted_alone(tmp_path):
    types = {1: (uniform(64, 1e5), 1.0), 2: (uniform(32, 1e5, 1), 0.1)}
    write_gadget_binary(tmp_path / "snap_004", types, box=1e5)
    stated = StatedMetadata(length_unit="kpc/h", particle_types=(2,), mesh=8, assignment="ngp")
    (volume,) = read_volumes(tmp_path / "snap_004", stated)
    assert (volume.units, volume.read(0, 8).sum()) == ("counts", 32)


def test_the_unit_of_length_must_be_stated(tmp_path):
    write_gadget_binary(tmp_path / "snap_004", {1: (uniform(64, 1e5), 1.0)}, box=1e5)
    with pytest.raises(UnusableFileError, match="no unit of length is stated"):
        read_snapshot(tmp_path / "snap_004")


@pytest.mark.parametrize("size", [260, 300, 1000])
def test_a_truncated_file_is_refused(tmp_path, size):
    (path,) = write_gadget_binary(tmp_path / "snap_004", {1: (uniform(64, 1e5), 1.0)}, box=1e5)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UnusableFileError, match=r"not complete|not a snapshot|damaged"):
        read_snapshot(path, KPC_H)


def test_a_damaged_number_of_particles_is_refused(tmp_path):
    (path,) = write_gadget_binary(tmp_path / "snap_004", {1: (uniform(64, 1e5), 1.0)}, box=1e5)
    data = bytearray(path.read_bytes())
    data[4 + 4 + 3] = 0x7F  # type 1 of this file: 2 thousand million particles
    path.write_bytes(data)
    with pytest.raises(UnusableFileError, match=r"768 bytes for 2,130,706,496 particles; expected 12 or 24 for each"):
        read_snapshot(path, KPC_H)
