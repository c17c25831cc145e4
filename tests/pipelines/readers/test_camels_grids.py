import numpy as np
import pytest
from tests.formats.camels import rows, write_grids, write_maps, write_named, write_parameters
from tests.formats.plain import write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.cmd_names import GRID_UNITS, parse_file_name
from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

NAME = "Grids_Mcdm_IllustrisTNG_LH_8_z=0.50.npy"
LABELS = "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt"
STATED = StatedMetadata(parameters={"omega_m": 0.3})


def ingest(path, out, labels, **settings):
    config = Ingest(processes=1, camels_parameters=str(labels), fractions=(0.5, 0.25, 0.25), **settings)
    return ingest_volumes([path], out, config)


@pytest.mark.parametrize("write", [write_named, write_parameters])
def test_grid_i_has_the_parameters_of_row_i(tmp_path, write):
    grids, table = write_grids(tmp_path, NAME, 4), rows(4)
    labels = write(tmp_path, LABELS if write is write_named else "params_LH_IllustrisTNG.txt", table)
    summary = ingest(tmp_path / NAME, tmp_path / "data", labels, parameters=("omega_m", "sigma_8", "a_sn1"))
    assert (summary.simulations, summary.records) == (4, 4)
    with Shards.open(tmp_path / "data") as shards:
        for n in range(4):
            assert shards.simulation(np.array([n]))[0] == f"LH_IllustrisTNG_{n}"
            assert np.array_equal(shards.read(np.array([n]))[0, ..., 0], grids[n])
            assert shards.parameters(np.array([n]))[0] == pytest.approx(table[n, :3])
        about = shards.manifest
        assert (about.box_mpc_h, about.periodic, about.redshifts) == (25.0, True, (0.5,))
        assert about.units == "(Msun/h)/(Mpc/h)^3"


def test_an_ingest_of_grids_is_resumed_without_new_shards(tmp_path):
    write_grids(tmp_path, NAME, 4)
    labels = write_named(tmp_path, LABELS, rows(4))
    assert ingest(tmp_path / NAME, tmp_path / "data", labels).new_shards == 1
    assert ingest(tmp_path / NAME, tmp_path / "data", labels).new_shards == 0


@pytest.mark.parametrize(
    ("field", "unit"),
    [("Mgas", "(Msun/h)/(Mpc/h)^3"), ("ne", "h^2/cm^3"), ("T", "K"), ("P", "h^2 Msun (km/s)^2/kpc^3")],
)
def test_units_of_grids_are_those_of_the_documentation_with_a_volume_for_an_area(tmp_path, field, unit):
    name = parse_file_name(tmp_path / f"Grids_{field}_SIMBA_LH_128_z=0.00.npy")
    assert name is not None and name.units == unit == GRID_UNITS[field]


def test_a_file_larger_than_memory_is_mapped(tmp_path):
    shape = (64, 512, 512, 512)  # 32 GiB of holes
    path = tmp_path / "Grids_Mtot_Nbody_SIMBA_LH_512_z=0.00.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + 4 * int(np.prod(shape)))
    with path.open("r+b") as file:
        file.seek(-4, 2)
        file.write(np.float32(7).tobytes())
    *_, last = read_volumes(path, StatedMetadata(parameters={"omega_m": 0.3}, part=(62, 64)))
    assert (last.key, last.shape) == ("grid 63", (512, 512, 512, 1))
    assert last.read(511, 512)[0, 511, 511, 0] == 7


def test_as_many_grids_as_cells_per_side_are_grids_by_their_name_and_otherwise_asked(tmp_path):
    grids = write_grids(tmp_path, NAME, 8)
    assert detect_volume_format(tmp_path / NAME) == "camels"
    np.save(tmp_path / "other.npy", grids)
    with pytest.raises(
        UnusableFileError, match=r"may be 8 grids, or one volume of 8 channels: --set ingest.format=cam"
    ):
        list(read_volumes(tmp_path / "other.npy", STATED))
    volumes = list(read_volumes(tmp_path / "other.npy", StatedMetadata(format="camels", parameters={"omega_m": 0.3})))
    assert [volume.shape for volume in volumes] == [(8, 8, 8, 1)] * 8
    (volume,) = read_volumes(tmp_path / "other.npy", StatedMetadata(format="npy", parameters={"omega_m": 0.3}))
    assert volume.shape == (8, 8, 8, 8)


def test_grids_under_another_name_are_told_by_their_shape(tmp_path):
    np.save(tmp_path / "grids.npy", np.ones((3, 4, 4, 4)))
    np.save(tmp_path / "channels.npy", np.ones((4, 4, 4, 3)))
    assert [detect_volume_format(tmp_path / f"{name}.npy") for name in ("grids", "channels")] == ["camels", "npy"]
    assert [volume.key for volume in read_volumes(tmp_path / "grids.npy", STATED)] == ["grid 0", "grid 1", "grid 2"]


def test_another_number_of_grids_than_rows_is_refused(tmp_path):
    write_grids(tmp_path, NAME, 4)
    with pytest.raises(InputError, match=r"4 grids, but .* has 5 rows of parameters"):
        ingest(tmp_path / NAME, tmp_path / "data", write_named(tmp_path, LABELS, rows(5)))


def test_parameters_of_another_suite_are_refused(tmp_path):
    write_grids(tmp_path, NAME, 4)
    with pytest.raises(InputError, match=r"parameters of SIMBA, set LH, but the grids are of IllustrisTNG, set LH"):
        ingest(tmp_path / NAME, tmp_path / "data", write_parameters(tmp_path, "params_LH_SIMBA.txt", rows(4)))


def test_a_row_of_a_table_does_not_label_many_grids(tmp_path):
    write_grids(tmp_path, NAME, 4)
    table = write_table(tmp_path / "table.csv", [{"file": NAME, "Omega_m": 0.3}])
    with pytest.raises(InputError, match=r"contains grids of many simulations"):
        ingest(tmp_path / NAME, tmp_path / "data", write_named(tmp_path, LABELS, rows(4)), table=str(table))


def test_grids_without_their_parameter_file_are_refused_with_its_setting(tmp_path):
    write_grids(tmp_path, NAME, 4)
    with pytest.raises(UnusableFileError, match=r"--set ingest.camels_parameters=FILE"):
        list(read_volumes(tmp_path / NAME, StatedMetadata()))


def test_a_grid_of_another_size_than_its_name_is_refused(tmp_path):
    write_grids(tmp_path, "Grids_T_SIMBA_LH_128_z=0.00.npy", 4)
    with pytest.raises(UnusableFileError, match=r"shape \(4, 8, 8, 8\), but the name states 128 voxels per side"):
        list(read_volumes(tmp_path / "Grids_T_SIMBA_LH_128_z=0.00.npy", STATED))


def test_a_truncated_file_of_grids_is_refused(tmp_path):
    write_grids(tmp_path, NAME, 4)
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:-100])
    with pytest.raises(UnusableFileError, match=r"requires 8,192 bytes, but the file contains 8,092"):
        list(read_volumes(tmp_path / NAME, STATED))


def test_maps_and_grids_name_the_command_for_each_other(tmp_path):
    write_grids(tmp_path, NAME, 4)
    write_maps(tmp_path, "Maps_T_SIMBA_LH_z=0.00.npy", 1)
    with pytest.raises(UnusableFileError, match=r"`tenfold ingest volumes`"):
        list(read_volumes(tmp_path / NAME, StatedMetadata(dimensions=2)))
    with pytest.raises(UnusableFileError, match=r"`tenfold ingest massmaps`"):
        list(read_volumes(tmp_path / "Maps_T_SIMBA_LH_z=0.00.npy", STATED))
