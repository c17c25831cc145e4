import numpy as np
import pytest
from tests.formats.quijote import write_field

from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

STATED = StatedMetadata(parameters={"omega_m": 0.3})


def first(path, **stated):
    (volume,) = read_volumes(path, StatedMetadata(parameters={"omega_m": 0.3}, **stated))
    return volume


def test_a_field_in_the_documented_layout(tmp_path):
    path = tmp_path / "3D_cubes/latin_hypercube/17/df_m_8_PCS_z=0.5.npy"
    field = write_field(path, 1)
    assert detect_volume_format(path) == "quijote"
    volume = first(path)
    assert np.array_equal(volume.read(0, 8)[..., 0], field)
    assert (volume.box_mpc_h, volume.periodic, volume.redshifts) == (1000.0, True, (0.5,))
    assert (volume.simulation, volume.shape) == ("latin_hypercube/17", (8, 8, 8, 1))


def test_elsewhere_box_and_periodicity_are_only_those_stated(tmp_path):
    write_field(tmp_path / "df_m_8_CIC_z=0.npy", 1)
    assert (first(tmp_path / "df_m_8_CIC_z=0.npy").box_mpc_h, first(tmp_path / "df_m_8_CIC_z=0.npy").periodic) == (
        None,
        None,
    )
    assert first(tmp_path / "df_m_8_CIC_z=0.npy", box_mpc_h=500.0, periodic=True).box_mpc_h == 500


@pytest.mark.parametrize(("mean", "units"), [(0.0, "overdensity"), (1.0, "density/mean")])
def test_the_mean_tells_an_overdensity_from_a_density(tmp_path, mean, units):
    write_field(tmp_path / "df_m_8_CIC_z=0.npy", 1, mean=mean)
    assert first(tmp_path / "df_m_8_CIC_z=0.npy").units == units


@pytest.mark.parametrize("mean", [0.5, 2.0, 0.99])
def test_a_field_with_another_mean_is_refused(tmp_path, mean):
    write_field(tmp_path / "df_m_8_CIC_z=0.npy", 1, mean=mean)
    with pytest.raises(UnusableFileError, match=rf"the mean is {mean:g}.*: neither an overdensity δ \(mean 0\) nor 1"):
        first(tmp_path / "df_m_8_CIC_z=0.npy")
    assert first(tmp_path / "df_m_8_CIC_z=0.npy", format="npy").units == ""


def test_an_overdensity_below_minus_1_is_refused(tmp_path):
    field = np.zeros((4, 4, 4), np.float32)
    field[0, 0, 0], field[0, 0, 1] = -2, 2
    np.save(tmp_path / "df_m_4_CIC_z=0.npy", field)
    with pytest.raises(UnusableFileError, match=r"the minimum -2 would be a negative density"):
        first(tmp_path / "df_m_4_CIC_z=0.npy")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"box_mpc_h": 500.0}, "box_mpc_h is 1000 in the file, but ingest.box_mpc_h is 500"),
        ({"periodic": False}, "periodic is True in the file"),
        ({"redshifts": (1.0,)}, r"redshifts is \(0\) in the file"),
        ({"units": "counts"}, "units is overdensity in the file"),
    ],
)
def test_a_configuration_that_contradicts_the_layout_is_refused(tmp_path, stated, message):
    path = tmp_path / "3D_cubes/fiducial/0/df_m_8_CIC_z=0.npy"
    write_field(path, 1)
    with pytest.raises(UnusableFileError, match=message):
        first(path, **stated)


def test_a_shape_that_contradicts_the_name_is_refused(tmp_path):
    write_field(tmp_path / "df_m_256_CIC_z=0.npy", 1)
    with pytest.raises(UnusableFileError, match=r"shape \(8, 8, 8\), but the name states 256 cells per side"):
        first(tmp_path / "df_m_256_CIC_z=0.npy")


def test_a_damaged_field_is_refused(tmp_path):
    field = write_field(tmp_path / "df_m_8_CIC_z=0.npy", 1)
    field[3, 3, 3] = np.nan
    np.save(tmp_path / "df_m_8_CIC_z=0.npy", field)
    with pytest.raises(UnusableFileError, match="NaN or infinite"):
        first(tmp_path / "df_m_8_CIC_z=0.npy")


def test_a_field_without_parameters_names_the_setting(tmp_path):
    write_field(tmp_path / "df_m_8_CIC_z=0.npy", 1)
    with pytest.raises(UnusableFileError, match=r"--set ingest\.table=FILE"):
        list(read_volumes(tmp_path / "df_m_8_CIC_z=0.npy", StatedMetadata()))
