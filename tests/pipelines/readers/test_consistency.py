import dataclasses

import h5py
import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw, write_split
from tests.formats.ingested import HERE, boxes
from tests.formats.plain import write_dataset, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.consistency import values_agree
from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.parameter_table import read_parameter_table
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards


def first(path, **stated):
    return next(read_volumes(path, StatedMetadata(**stated)))


@pytest.mark.parametrize(
    ("first_value", "second_value", "agree"),
    [
        (0.3089, float(np.float32(0.3089)), True),
        (0.309, 0.3089, True),
        (0.677, 0.6774, True),
        (0.31, 0.3089, False),
        (0.3, 0.3089, False),
        (0.30890, 0.30880, False),
        (1.0, 1.0, True),
        (0.0, 0.1, False),
    ],
)
def test_numbers_agree_to_float32_or_to_the_digits_printed(first_value, second_value, agree):
    assert values_agree(first_value, second_value) == values_agree(second_value, first_value) == agree


def test_a_table_that_contradicts_the_file_is_an_error_with_both_values(tmp_path):
    write_raw(tmp_path / "box.h5", 0, physPar=[0.31, 0.85, 0.97, 67.0])
    with pytest.raises(UnusableFileError, match=r"omega_m is 0.31 in the file, but 0.3 in the table of parameters"):
        first(tmp_path / "box.h5", parameters={"omega_m": 0.3})
    write_dataset(tmp_path / "a.h5", "rho", np.ones((4, 4, 4)), Omega_m=0.31)
    with pytest.raises(UnusableFileError, match=r"omega_m is 0.31 in the file, but 0.3 in the table of parameters"):
        first(tmp_path / "a.h5", key="rho", parameters={"omega_m": 0.3})


def test_a_table_adds_parameters_that_are_missing_in_the_file(tmp_path):
    write_raw(tmp_path / "box.h5", 0, physPar=[0.31, 0.85, 0.97, 67.0])
    added = first(tmp_path / "box.h5", parameters={"omega_m": 0.31, "omega_b": 0.049})
    expected = {"omega_m": 0.31, "sigma_8": 0.85, "n_s": 0.97, "h": 0.67, "omega_b": 0.049}
    assert added.parameters == pytest.approx(expected)
    assert list(added.parameters) == list(expected)


def test_the_order_of_the_names_in_the_file_decides(tmp_path):
    write_raw(
        tmp_path / "box.h5", 0, namePar=[b"sigma_8", b"H_0", b"Omega_m", b"N_spec"], physPar=[0.85, 67.0, 0.31, 0.97]
    )
    assert first(tmp_path / "box.h5").parameters == pytest.approx(
        {"omega_m": 0.31, "sigma_8": 0.85, "n_s": 0.97, "h": 0.67}
    )


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"box_mpc_h": 100.0}, "box_mpc_h is 64 in the file, but ingest.box_mpc_h is 100"),
        ({"units": "counts"}, "units is delta in the file, but ingest.units is counts"),
        ({"redshifts": (1.0,)}, r"redshifts is \(0.5\) in the file, but ingest.redshifts is \(1\)"),
        ({"periodic": True}, "periodic is False in the file, but ingest.periodic is True"),
    ],
)
def test_a_configuration_that_contradicts_the_file_is_an_error_with_both(tmp_path, stated, message):
    write_dataset(
        tmp_path / "a.h5", "rho", np.ones((4, 4, 4)), Omega_m=0.31, box_mpc_h=64.0, units="delta", redshift=0.5,
        periodic=False,
    )  # fmt: skip
    with pytest.raises(UnusableFileError, match=message):
        first(tmp_path / "a.h5", key="rho", **stated)


def test_a_complete_cosmoflow_box_is_periodic_and_a_sub_volume_is_not(tmp_path):
    write_raw(tmp_path / "box.h5", 0)
    write_split(tmp_path / "pieces.h5", 0)
    assert first(tmp_path / "box.h5").periodic is True
    assert first(tmp_path / "pieces.h5").periodic is False
    with pytest.raises(UnusableFileError, match=r"periodic is True in the file"):
        first(tmp_path / "box.h5", periodic=False)
    with pytest.raises(UnusableFileError, match=r"periodic is False in the file"):
        first(tmp_path / "pieces.h5", periodic=True)


def arrays(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for n in range(count):
        np.save(folder / f"{n}.npy", rng.normal(size=(4, 4, 4)))
        rows.append({"file": f"{n}.npy", "omega_m": 0.1 + 0.05 * n, "sigma_8": 0.8})
    return write_table(folder.with_suffix(".csv"), rows)


def test_plain_arrays_are_periodic_only_if_stated_and_otherwise_reported(tmp_path):
    table = arrays(tmp_path / "arrays", 5)
    config = dataclasses.replace(HERE, table=str(table))
    unknown = ingest_volumes([tmp_path / "arrays"], tmp_path / "unknown", config)
    assert "they count as not periodic" in str(unknown) and "ingest.periodic=true" in str(unknown)
    again = ingest_volumes([tmp_path / "arrays"], tmp_path / "unknown", config)
    assert again.new_shards == 0 and "ingest.periodic=true" in str(again)
    stated = ingest_volumes([tmp_path / "arrays"], tmp_path / "stated", dataclasses.replace(config, periodic=True))
    assert "they count as not periodic" not in str(stated)
    for name, facts in (("unknown", (False, False)), ("stated", (True, True))):
        with Shards.open(tmp_path / name) as shards:
            assert (shards.manifest.periodic, shards.manifest.periodicity_known) == facts
            assert ("not known" in shards.manifest.not_periodic) == (name == "unknown")


def test_an_attribute_defines_whether_a_dataset_is_periodic(tmp_path):
    write_dataset(tmp_path / "a.h5", "rho", np.ones((4, 4, 4)), Omega_m=0.31, periodic=True)
    assert first(tmp_path / "a.h5", key="rho").periodic is True
    write_dataset(tmp_path / "b.h5", "rho", np.ones((4, 4, 4)), Omega_m=0.31)
    assert first(tmp_path / "b.h5", key="rho").periodic is None
    write_dataset(tmp_path / "c.h5", "rho", np.ones((4, 4, 4)), Omega_m=0.31, periodic="perhaps")
    with pytest.raises(UnusableFileError, match=r"expected true or false"):
        first(tmp_path / "c.h5", key="rho")


def split(path, names, row, **attributes):
    write_split(path, 0, y=np.tile(row, (3, 1)))
    with h5py.File(path, "a") as file:
        if names:
            file["namePar"] = np.array(names)


THREE = [b"Omega_m", b"sigma_8", b"N_spec"]
RANGES = {"omega_m": (0.25, 0.35), "sigma_8": (0.78, 0.95), "n_s": (0.9, 1.0)}


def test_three_physical_values_are_not_unit_parameters(tmp_path):
    split(tmp_path / "a.h5", THREE, [0.28, 0.8, 0.96])
    assert first(tmp_path / "a.h5").parameters == {"omega_m": 0.28, "sigma_8": 0.8, "n_s": 0.96}


def test_ambiguous_values_are_refused_unless_a_table_resolves_them(tmp_path):
    split(tmp_path / "a.h5", THREE, [0.28, 0.8, 0.96])
    with pytest.raises(
        UnusableFileError, match=r"may be physical values or unit parameters \(ingest.unit_ranges is set\)"
    ):
        first(tmp_path / "a.h5", unit_ranges=RANGES)
    physical = {"omega_m": 0.28, "sigma_8": 0.8, "n_s": 0.96}
    assert first(tmp_path / "a.h5", unit_ranges=RANGES, parameters=physical).parameters == physical
    of_units = {"omega_m": 0.314, "sigma_8": 0.933, "n_s": 0.998}
    parameters = first(tmp_path / "a.h5", unit_ranges=RANGES, parameters=of_units).parameters
    assert parameters == pytest.approx(of_units)
    with pytest.raises(UnusableFileError, match=r"omega_m is 0.28 in the file, but 0.35 in the table"):
        first(tmp_path / "a.h5", parameters={**physical, "omega_m": 0.35})


def test_unit_parameters_are_identified_by_the_names_in_the_file(tmp_path):
    split(tmp_path / "a.h5", [b"sigma_8", b"Omega_m"], [-1.0, 0.5])
    ranges = {"omega_m": (0.2, 0.4), "sigma_8": (0.6, 1.0)}
    assert first(tmp_path / "a.h5", unit_ranges=ranges).parameters == pytest.approx({"omega_m": 0.35, "sigma_8": 0.6})


def test_values_without_names_are_refused_unless_a_table_gives_them(tmp_path):
    split(tmp_path / "a.h5", None, [0.28, 0.8, 0.96])
    with pytest.raises(UnusableFileError, match=r"3 columns without names in namePar"):
        first(tmp_path / "a.h5")
    assert first(tmp_path / "a.h5", parameters={"omega_m": 0.28}).parameters == {"omega_m": 0.28}


def test_physical_densities_of_a_table_become_fractions(tmp_path):
    rows = [{"file": f"{n}.npy", "omega_b": 0.0224, "omega_cdm": 0.12, "h": 0.6736 + n / 100} for n in range(2)]
    table = read_parameter_table(write_table(tmp_path / "t.csv", rows))
    assert table.rows[0].parameters["omega_b"] == pytest.approx(0.0224 / 0.6736**2)
    assert table.rows[1].parameters["omega_cdm"] == pytest.approx(0.12 / 0.6836**2)


def test_files_of_one_name_in_two_folders_have_rows_of_their_own(tmp_path):
    for n in range(4):
        (tmp_path / "boxes" / f"run_{n}").mkdir(parents=True)
        np.save(tmp_path / "boxes" / f"run_{n}" / "rho.npy", np.random.default_rng(n).normal(size=(4, 4, 4)))
    both = write_table(tmp_path / "name.csv", [{"file": "rho.npy", "Omega_m": 0.3}])
    with pytest.raises(InputError, match=r"rho.npy may be .*run_0/rho.npy or .*run_1/rho.npy"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, table=str(both)))
    rows = [{"file": f"run_{n}/rho.npy", "Omega_m": 0.2 + n / 20} for n in range(4)]
    table = write_table(tmp_path / "path.csv", rows)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, table=str(table)))
    with Shards.open(tmp_path / "data") as shards:
        parameters = {
            simulation.simulation: simulation.parameters["omega_m"] for simulation in shards.manifest.simulations
        }
    assert parameters == pytest.approx({f"run_{n}/rho.npy": 0.2 + n / 20 for n in range(4)})


def test_a_table_of_other_files_is_refused(tmp_path):
    boxes(tmp_path / "boxes", 3)
    table = write_table(tmp_path / "t.csv", [{"file": "box.h5", "Omega_m": 0.3}])
    with pytest.raises(InputError, match=r"names none of the 3 files, such as 000.h5; its first row is about box.h5"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, table=str(table)))
