import h5py
import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw, write_split
from tests.formats.plain import write_dataset, write_table

from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.parameter_table import read_parameter_table
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

COSMOLOGY = {"omega_m": 0.3, "sigma_8": 0.8}


def read_single(path, **stated):
    """The only volume of a file, with its voxels read."""
    (single,) = ((volume, volume.read(0, volume.shape[0])) for volume in read_volumes(path, StatedMetadata(**stated)))
    return single


def test_a_raw_cosmoflow_box_is_read_as_it_was_written(tmp_path):
    full = write_raw(tmp_path / "box.h5", 5)
    volume, values = read_single(tmp_path / "box.h5")
    np.testing.assert_array_equal(values, full)
    assert values.dtype == volume.dtype == np.int16
    assert volume.shape == (8, 8, 8, 2)
    assert volume.redshifts == (0, 0.5)
    assert volume.simulation == "universe 5"
    assert volume.units == "counts"
    assert volume.box_mpc_h is None


def test_parameters_are_the_physical_ones_under_our_names(tmp_path):
    write_raw(tmp_path / "box.h5", 0, physPar=[0.31, 0.85, 0.97, 67.0], unitPar=[0, 0, 0, 0])
    volume, _ = read_single(tmp_path / "box.h5")
    assert volume.parameters == pytest.approx({"omega_m": 0.31, "sigma_8": 0.85, "n_s": 0.97, "h": 0.67})


def test_names_of_variable_length_are_read_too(tmp_path):
    write_raw(tmp_path / "box.h5", 0, namePar=["Omega_m", "sigma_8", "N_spec", "H_0"])
    assert list(read_single(tmp_path / "box.h5")[0].parameters) == ["omega_m", "sigma_8", "n_s", "h"]


@pytest.mark.parametrize("compression", ["gzip", "lzf"])
def test_a_compressed_big_endian_box_gives_the_same_values(tmp_path, compression):
    full = write_raw(tmp_path / "box.h5", 3)
    with h5py.File(tmp_path / "box.h5", "a") as file:
        del file["full"]
        file.create_dataset("full", data=full.astype(">i2"), compression=compression)
    volume, values = read_single(tmp_path / "box.h5")
    np.testing.assert_array_equal(values, full)
    assert values.dtype == volume.dtype == np.dtype("int16")
    assert values.dtype.isnative


def test_slabs_put_together_are_the_box(tmp_path):
    full = write_raw(tmp_path / "box.h5", 2)
    for volume in read_volumes(tmp_path / "box.h5", StatedMetadata()):
        slabs = [volume.read(x, x + 2) for x in range(0, 8, 2)]
        np.testing.assert_array_equal(np.concatenate(slabs), full)


def test_sub_volumes_of_one_file_are_one_simulation(tmp_path):
    x = write_split(tmp_path / "universe_7.hdf5", 7)
    volumes = [(volume, volume.read(0, 4)) for volume in read_volumes(tmp_path / "universe_7.hdf5", StatedMetadata())]
    np.testing.assert_array_equal(np.stack([values for _, values in volumes]), x)
    assert {volume.simulation for volume, _ in volumes} == {"universe_7"}
    assert not any(volume.periodic for volume, _ in volumes)
    assert volumes[0][0].parameters["h"] == pytest.approx(0.7)


def test_sub_volumes_of_different_universes_in_one_file_are_refused(tmp_path):
    y = np.array([[0.3, 0.8, 0.96, 70.0]] * 2 + [[0.31, 0.8, 0.96, 70.0]])
    write_split(tmp_path / "mixed.h5", 0, y=y)
    with pytest.raises(UnusableFileError, match="differ between sub-volumes"):
        list(read_volumes(tmp_path / "mixed.h5", StatedMetadata()))


def test_unit_parameters_need_the_ranges_they_are_units_of(tmp_path):
    write_split(tmp_path / "unit.h5", 0, y=np.tile([0.0, 1.0, -1.0, 0.5], (3, 1)))
    with pytest.raises(UnusableFileError, match="give unit_ranges of omega_m, sigma_8, n_s, h"):
        list(read_volumes(tmp_path / "unit.h5", StatedMetadata()))
    ranges = {"omega_m": (0.2, 0.4), "sigma_8": (0.6, 1.0), "n_s": (0.9, 1.0), "h": (0.6, 0.8)}
    volume = next(read_volumes(tmp_path / "unit.h5", StatedMetadata(unit_ranges=ranges)))
    assert volume.parameters == pytest.approx({"omega_m": 0.3, "sigma_8": 1.0, "n_s": 0.9, "h": 0.75})


def test_a_plain_dataset_takes_its_parameters_from_its_attributes(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 6, 6)).astype(np.float32)
    write_dataset(tmp_path / "a.h5", "run/density", values, Om=0.3, H0=[70.0], box_mpc_h=64.0, redshift=0.5, units="δ")
    volume, read = read_single(tmp_path / "a.h5", key="run/density")
    np.testing.assert_array_equal(read[..., 0], values)
    assert volume.parameters == pytest.approx({"omega_m": 0.3, "h": 0.7})
    assert (volume.box_mpc_h, volume.redshifts, volume.units) == (64.0, (0.5,), "δ")


def test_a_plain_file_without_a_key_lists_what_it_holds(tmp_path):
    write_dataset(tmp_path / "a.h5", "density", np.ones((4, 4, 4)), Om=0.3)
    with pytest.raises(UnusableFileError, match="Set key to one of: density"):
        list(read_volumes(tmp_path / "a.h5", StatedMetadata()))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", ">u2"])
def test_an_npy_file_is_read_in_our_order_and_the_machines_bytes(tmp_path, dtype, order):
    values = np.random.default_rng(0).integers(0, 99, (4, 4, 4, 2)).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    volume, read = read_single(tmp_path / "a.npy", parameters=COSMOLOGY)
    np.testing.assert_array_equal(read, values)
    assert read.dtype == volume.dtype == np.dtype(dtype).newbyteorder("=")
    assert read.flags.c_contiguous


def test_an_npy_file_of_pickled_objects_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 2, 2), {}, object), allow_pickle=True)
    with pytest.raises(UnusableFileError, match="has type object"):
        list(read_volumes(tmp_path / "a.npy", StatedMetadata(parameters=COSMOLOGY)))


@pytest.mark.parametrize("cut", [40, 100, -8])
def test_a_truncated_npy_file_is_refused(tmp_path, cut):
    np.save(tmp_path / "a.npy", np.ones((4, 4, 4)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:cut])
    with pytest.raises(UnusableFileError, match=r"not a complete NPY file|but the file contains"):
        list(read_volumes(tmp_path / "a.npy", StatedMetadata(parameters=COSMOLOGY)))


def test_an_npy_header_of_a_million_million_voxels_allocates_nothing(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10_000,) * 3}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UnusableFileError, match="above the limit of 16 GiB"):
        list(read_volumes(tmp_path / "a.npy", StatedMetadata(parameters=COSMOLOGY)))


def test_the_format_is_detected_from_the_content_not_the_name(tmp_path):
    write_raw(tmp_path / "really_a_box.npy", 0)
    write_split(tmp_path / "really_split.h5", 0)
    with (tmp_path / "really_npy.h5").open("wb") as file:
        np.save(file, np.ones((4, 4, 4)))
    formats = [detect_volume_format(path) for path in sorted(tmp_path.iterdir())]
    assert formats == ["cosmoflow", "npy", "cosmoflow-split"]


def test_an_explicit_format_takes_precedence(tmp_path):
    full = write_raw(tmp_path / "box.h5", 0)
    volume, values = read_single(tmp_path / "box.h5", format="hdf5", key="full", parameters=COSMOLOGY)
    np.testing.assert_array_equal(values, full)
    assert volume.parameters == COSMOLOGY


def test_a_table_gives_parameters_and_simulations_by_file(tmp_path):
    rows = [
        {"file": "a.npy", "simulation": "s1", "Omega_m": 0.3, "H0": 70},
        {"file": "b.npy", "Omega_m": 0.4, "H0": 65},
    ]
    table = read_parameter_table(write_table(tmp_path / "t.csv", rows))
    assert table.files == {"a.npy": 0, "b.npy": 1}
    assert [row.simulation for row in table.rows] == ["s1", ""]
    assert table.rows[1].parameters == pytest.approx({"omega_m": 0.4, "h": 0.65})
