import numpy as np
import pytest
from tests.formats.camels import rows, write_maps, write_named, write_parameters
from tests.formats.plain import write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.cmd_names import MAP_UNITS, parse_file_name, parse_table_name
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

TNG = "Maps_Mcdm_IllustrisTNG_LH_z=0.00.npy"
TNG_ROWS = "params_LH_IllustrisTNG.txt"


def ingest(paths, out, labels, **settings):
    config = MassMapIngest(processes=1, camels_parameters=str(labels), fractions=(0.5, 0.25, 0.25), **settings)
    return ingest_massmaps(paths, out, config)


def manifest(folder):
    return Manifest.read(folder / "manifest.json")


@pytest.mark.parametrize(
    ("name", "field", "suite", "kind"),
    [
        ("Maps_Mcdm_IllustrisTNG_LH_z=0.00.npy", "Mcdm", "IllustrisTNG", "LH"),
        ("Maps_Mtot_Nbody_IllustrisTNG_LH_z=0.00.npy", "Mtot", "Nbody_IllustrisTNG", "LH"),
        ("Maps_T_SIMBA_1P_z=0.00.npy", "T", "SIMBA", "1P"),
        ("Maps_HI_IllustrisTNG_SB28_z=0.00.npy", "HI", "IllustrisTNG", "SB28"),
        ("Grids_ne_Astrid_CV_256_z=1.50.npy", "ne", "Astrid", "CV"),
    ],
)
def test_a_file_name_gives_field_suite_set_and_redshift(tmp_path, name, field, suite, kind):
    metadata = parse_file_name(tmp_path / name)
    assert (metadata.field, metadata.suite, metadata.set) == (field, suite, kind)
    assert metadata.redshift == float(name.split("z=")[1].removesuffix(".npy"))


@pytest.mark.parametrize("name", ["maps.npy", "Maps_Mcdm.npy", "shuffled_Maps_T_SIMBA_LH_z=0.00.npy"])
def test_other_file_names_give_no_metadata(tmp_path, name):
    assert parse_file_name(tmp_path / name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("params_LH_IllustrisTNG.txt", ("IllustrisTNG", "LH")),
        ("params_LH_Nbody_SIMBA.txt", ("Nbody_SIMBA", "LH")),
        ("CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", ("IllustrisTNG", "LH")),
        ("params.txt", None),
    ],
)
def test_the_name_of_a_parameter_file_gives_suite_and_set(tmp_path, name, expected):
    assert parse_table_name(tmp_path / name) == expected


@pytest.mark.parametrize(("field", "unit"), [("Mcdm", "(Msun/h)/(Mpc/h)^2"), ("T", "K"), ("Vcdm", "km/s")])
def test_unit_side_redshift_and_periodicity_come_from_the_name(tmp_path, field, unit):
    maps = write_maps(tmp_path, f"Maps_{field}_IllustrisTNG_LH_z=0.00.npy", 4)
    ingest([maps], tmp_path / "data", write_parameters(tmp_path, TNG_ROWS, rows(4)))
    ingested = manifest(tmp_path / "data")
    assert (ingested.units, ingested.box_mpc_h, ingested.side_deg) == (unit, 25.0, None)
    assert (ingested.redshifts, ingested.periodic, ingested.periodicity_known) == ((0.0,), True, True)
    assert MAP_UNITS[field] == unit


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"box_mpc_h": 50.0}, "box_mpc_h is 25 in the file, but ingest.box_mpc_h is 50"),
        ({"units": "kappa"}, r"units is \(Msun/h\)/\(Mpc/h\)\^2 in the file, but ingest.units is kappa"),
        ({"redshifts": (0.5,)}, r"redshifts is \(0\) in the file, but ingest.redshifts is \(0.5\)"),
        ({"periodic": False}, "periodic is True in the file, but ingest.periodic is False"),
        ({"side_deg": 5.0}, "ingest.side_deg is 5, but maps of CMD have a length"),
    ],
)
def test_a_configuration_that_contradicts_the_name_is_refused(tmp_path, settings, message):
    maps, parameters = write_maps(tmp_path, TNG, 4), write_parameters(tmp_path, TNG_ROWS, rows(4))
    with pytest.raises(InputError, match=message):
        ingest([maps], tmp_path / "data", parameters, **settings)


@pytest.mark.parametrize("other_name", ["Maps_Mcdm_SIMBA_LH_z=0.00.npy", "Maps_T_IllustrisTNG_LH_z=0.00.npy",
                                   "Maps_Mcdm_IllustrisTNG_CV_z=0.00.npy"])  # fmt: skip
def test_files_of_another_suite_field_or_set_are_not_one_data_set(tmp_path, other_name):
    (tmp_path / "maps").mkdir()
    write_maps(tmp_path / "maps", TNG, 4)
    write_maps(tmp_path / "maps", other_name, 4)
    parameters = write_parameters(tmp_path, TNG_ROWS, rows(4))
    with pytest.raises(InputError, match=r"differ in field, suite, set or redshift") as caught:
        ingest([tmp_path / "maps"], tmp_path / "data", parameters)
    assert TNG in str(caught.value) and other_name in str(caught.value)
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_parameters_of_another_suite_are_refused(tmp_path):
    maps = write_maps(tmp_path, "Maps_Mcdm_SIMBA_LH_z=0.00.npy", 4)
    with pytest.raises(InputError, match=r"parameters of IllustrisTNG, set LH, but the maps are of SIMBA, set LH"):
        ingest([maps], tmp_path / "data", write_parameters(tmp_path, TNG_ROWS, rows(4)))


def test_a_parameter_file_without_a_suite_in_its_name_is_refused(tmp_path):
    maps = write_maps(tmp_path, TNG, 4)
    with pytest.raises(InputError, match=r"does not give suite and set; expected a name such as params_LH_Illustris"):
        ingest([maps], tmp_path / "data", write_parameters(tmp_path, "params.txt", rows(4)))


def test_a_simulation_has_fifteen_maps_and_no_other_number(tmp_path):
    maps = write_maps(tmp_path, TNG, 10)
    with pytest.raises(InputError, match=r"150 maps are 10 simulations of 15 maps, but .* has 5 rows of parameters"):
        ingest([maps], tmp_path / "data", write_parameters(tmp_path, TNG_ROWS, rows(5)))


@pytest.mark.parametrize("columns", [2, 5])
def test_columns_without_names_are_the_six_documented_or_refused(tmp_path, columns):
    maps = write_maps(tmp_path, TNG, 4)
    parameters = write_parameters(tmp_path, TNG_ROWS, rows(4)[:, :columns])
    with pytest.raises(InputError, match=f"{columns} columns without names, but the dataset documents 6"):
        ingest([maps], tmp_path / "data", parameters)


def test_columns_are_identified_by_their_names(tmp_path):
    table = rows(4)
    maps = write_maps(tmp_path, TNG, 4)
    parameters = write_named(tmp_path, "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", table)
    ingest([maps], tmp_path / "data", parameters, parameters=("sigma_8", "a_agn2"))
    with Shards.open(tmp_path / "data") as shards:
        for record in (0, 14, 15, 59):
            assert shards.parameters(np.array([record]))[0] == pytest.approx(table[record // 15, [1, 5]])
        assert set(shards.manifest.simulations[0].parameters) == {
            "omega_m", "sigma_8", "a_sn1", "a_agn1", "a_sn2", "a_agn2",
        }  # fmt: skip
    (tmp_path / TNG_ROWS).write_text(
        "# sigma_8 Omega_m\n" + "".join(f"{sigma_8} {omega_m}\n" for omega_m, sigma_8 in table[:, :2])
    )
    ingest([maps], tmp_path / "swapped", tmp_path / TNG_ROWS)
    first = manifest(tmp_path / "swapped").simulations[0].parameters
    assert first == {"omega_m": table[0, 0], "sigma_8": table[0, 1]}


def test_rows_in_another_order_than_their_simulations_are_refused(tmp_path):
    maps = write_maps(tmp_path, TNG, 4)
    parameters = write_named(tmp_path, "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", rows(4))
    lines = parameters.read_text().splitlines()
    parameters.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(InputError, match=r"line 2: is of LH_1, but row 0 must be of LH_0"):
        ingest([maps], tmp_path / "data", parameters)


def test_n_body_maps_have_no_feedback_parameters(tmp_path):
    maps = write_maps(tmp_path, "Maps_Mtot_Nbody_SIMBA_LH_z=0.00.npy", 4)
    ingest([maps], tmp_path / "data", write_parameters(tmp_path, "params_LH_Nbody_SIMBA.txt", rows(4)))
    assert manifest(tmp_path / "data").parameter_names == ("omega_m", "sigma_8")


def test_a_row_of_the_table_does_not_label_the_maps_of_many_simulations(tmp_path):
    maps = write_maps(tmp_path, TNG, 4)
    table = write_table(tmp_path / "table.csv", [{"file": TNG, "Omega_m": 0.3, "sigma_8": 0.8}])
    parameters = write_parameters(tmp_path, TNG_ROWS, rows(4))
    with pytest.raises(
        InputError, match=r"contains maps of many simulations, whose parameters are in ingest.camels_parameters"
    ):
        ingest([maps], tmp_path / "data", parameters, table=str(table))
    with pytest.raises(
        InputError, match=r"contains maps of many simulations, whose parameters are in ingest.camels_parameters"
    ):
        ingest_massmaps([maps], tmp_path / "data", MassMapIngest(processes=1, table=str(table)))


def test_the_parameter_file_of_camels_does_not_label_other_files(tmp_path):
    maps = write_maps(tmp_path, "maps.npy", 4)
    with pytest.raises(InputError, match=r"give any other file a row in ingest.table"):
        ingest([maps], tmp_path / "data", write_parameters(tmp_path, TNG_ROWS, rows(4)))


def test_other_npy_files_of_maps_take_their_parameters_from_the_table(tmp_path):
    table = []
    (tmp_path / "maps").mkdir()
    for n in range(4):
        write_maps(tmp_path / "maps", f"maps_{n}{'_' * n}.npy", 1, maps=3)
        table.append({"file": f"maps_{n}{'_' * n}.npy", "Omega_m": 0.2 + n / 20})
    table_path = write_table(tmp_path / "table.csv", table)
    config = MassMapIngest(processes=1, table=str(table_path), fractions=(0.5, 0.25, 0.25), side_deg=2.0)
    summary = ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config)
    assert (summary.simulations, summary.records) == (4, 12)
    assert manifest(tmp_path / "data").parameter_names == ("omega_m",)
