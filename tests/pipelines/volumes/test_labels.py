import dataclasses

import numpy as np
import pytest
from tests.formats.camels import rows, write_named
from tests.formats.plain import write_table
from tests.formats.tables import quijote_rows, write_quijote
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

HERE = Ingest(processes=1, fractions=(0.5, 0.25, 0.25))
MAPS = MassMapIngest(processes=1, fractions=(0.5, 0.25, 0.25), units="kappa", side_deg=3.5)
QUIJOTE = "{simulation}/df_m_{grid}_{assignment}_z={redshift}.npy"


def save(path, seed, shape=(4, 4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).lognormal(size=shape)
    np.save(path, (values / values.mean()).astype(np.float32))
    return path


def ingested(paths, out, config):
    """Ingest, and return {simulation: (parameters, first value of its first record)}."""
    ingest = ingest_massmaps if isinstance(config, MassMapIngest) else ingest_volumes
    ingest(paths, out, config)
    with Shards.open(out) as shards:
        simulations = shards.simulation(np.arange(len(shards)))
        first = {name: int(np.flatnonzero(simulations == name)[0]) for name in simulations}
        parameters = {entry.simulation: entry.parameters for entry in shards.manifest.simulations}
        return {
            name: (parameters[name], shards.read(np.array([first[name]])).reshape(-1)[0].item())
            for name in sorted(first)
        }


def value(path, index=0):
    return np.load(path).reshape(-1)[index].item()


def test_quijotes_folders_by_number(tmp_path):
    table = quijote_rows(12)
    paths = {n: save(tmp_path / f"3D_cubes/LH/{n}/df_m_4_PCS_z=0.5.npy", n) for n in range(12)}
    labels = write_quijote(tmp_path / "latin_hypercube_params.txt", table)
    arguments = ["ingest", "volumes", str(tmp_path / "3D_cubes/LH"), "--out", str(tmp_path / "data")]
    settings = [f"pattern={QUIJOTE}", f"table={labels}", "processes=1"]
    result = CliRunner().invoke(app, [*arguments, *(word for each in settings for word in ("--set", f"ingest.{each}"))])
    assert result.exit_code == 0, result.output
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.parameter_names == ("omega_m", "sigma_8", "n_s", "h", "omega_b")
        assert (shards.manifest.redshifts, shards.manifest.box_mpc_h) == ((0.5,), 1000)
        for n in range(len(shards)):
            number = int(shards.simulation(np.array([n]))[0])
            assert shards.read(np.array([n])).reshape(-1)[0] == value(paths[number])
            assert shards.parameters(np.array([n]))[0].tolist() == table[number, [0, 4, 3, 2, 1]].tolist()


def test_a_simulation_without_a_row_is_named(tmp_path):
    for n in (0, 3):
        save(tmp_path / f"boxes/{n}/df_m_4_PCS_z=0.npy", n)
    labels = write_quijote(tmp_path / "t.txt", quijote_rows(3))
    config = dataclasses.replace(HERE, pattern=QUIJOTE, table=str(labels))
    with pytest.raises(InputError, match=r"no row for simulation '3' .*its rows are numbered from 0 to 2"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)


def test_parameters_with_decimals_in_the_names_of_files(tmp_path):
    values = [(0.26, 0.74, -1.0), (0.3, 0.7, -0.8), (0.34, 0.66, -1.2)]
    for seed, (matter, dark_energy, w) in enumerate(values):
        save(tmp_path / f"maps/Om{matter:.3f}_Ol{dark_energy:.3f}_w{w:.3f}_ns0.960.npy", seed, (4, 8, 8))
    config = dataclasses.replace(MAPS, pattern="Om{omega_m}_Ol{omega_l}_w{w_0}_ns{n_s}.npy")
    result = ingested([tmp_path / "maps"], tmp_path / "data", config)
    names = ("omega_m", "omega_k", "w_0", "n_s")
    found = sorted(tuple(parameters[name] for name in names) for parameters, _ in result.values())
    assert found == [(matter, 0.0, w, 0.96) for matter, _, w in values]


def test_decimals_in_a_name_distinguish_simulations(tmp_path):
    for n in range(4):
        save(tmp_path / f"boxes/Om0.{n + 1}.npy", n)
    table = write_table(tmp_path / "t.csv", [{"file": f"Om0.{n}.npy", "Omega_m": n / 10} for n in range(1, 5)])
    result = ingested([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, table=str(table)))
    assert list(result) == [f"Om0.{n}" for n in range(1, 5)]


def test_the_parts_of_a_data_set_that_a_pattern_selects(tmp_path):
    for n in range(4):
        for z in (0, 1):
            save(tmp_path / f"boxes/{n}/df_m_4_CIC_z={z}.npy", 2 * n + z)
        save(tmp_path / f"boxes/{n}/df_m_8_CIC_z=0.npy", 100 + n, (8, 8, 8))
    labels = write_quijote(tmp_path / "t.txt", quijote_rows(4))
    config = dataclasses.replace(HERE, pattern="{simulation}/df_m_4_CIC_z=1.npy", table=str(labels))
    result = ingested([tmp_path / "boxes"], tmp_path / "data", config)
    assert [first for _, first in result.values()] == [
        value(tmp_path / f"boxes/{n}/df_m_4_CIC_z=1.npy") for n in range(4)
    ]
    with pytest.raises(InputError, match=r"ingest.pattern: 'x.npy' matches none of 12 files, such as"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "other", dataclasses.replace(HERE, pattern="x.npy"))


def test_links_count_by_their_own_names(tmp_path):
    for n in range(4):
        save(tmp_path / f"store/{n}a/blob_{n}.npy", n)
        (tmp_path / "boxes").mkdir(exist_ok=True)
        (tmp_path / f"boxes/{n}").symlink_to(tmp_path / f"store/{n}a")
        (tmp_path / f"store/{n}a/df_m_4_CIC_z=0.npy").symlink_to(f"blob_{n}.npy")
    (tmp_path / "boxes/loop").symlink_to(tmp_path / "boxes")
    labels = write_quijote(tmp_path / "t.txt", quijote_rows(4))
    config = dataclasses.replace(HERE, pattern=QUIJOTE, table=str(labels))
    result = ingested([tmp_path / "boxes"], tmp_path / "data", config)
    assert [first for _, first in result.values()] == [value(tmp_path / f"store/{n}a/blob_{n}.npy") for n in range(4)]


def test_one_file_of_many_simulations_with_the_rows_in_order(tmp_path):
    save(tmp_path / "maps.npy", 0, (12, 8, 8))
    table = tmp_path / "params.txt"
    np.savetxt(table, rows(4)[:, :3], fmt="%.5f")
    config = dataclasses.replace(MAPS, table=str(table), table_columns=("Omega_m", "sigma_8", "f_NL"))
    result = ingested([tmp_path / "maps.npy"], tmp_path / "data", config)
    assert list(result) == [f"row {n}" for n in range(4)]
    for n, (parameters, first) in enumerate(result.values()):
        assert list(parameters.values()) == rows(4)[n, :3].tolist()
        assert first == value(tmp_path / "maps.npy", n * 3 * 64)


def test_labels_of_an_array_keep_the_maps_of_one_cosmology_together(tmp_path):
    save(tmp_path / "kappa.npy", 0, (12, 8, 8))
    labels = np.random.default_rng(1).uniform(0.2, 0.9, (4, 3, 2))
    labels[:, :, 0] = labels[:, :1, 0]
    np.save(tmp_path / "label.npy", labels)
    config = dataclasses.replace(MAPS, table=str(tmp_path / "label.npy"), table_columns=("Omega_m", "T_AGN"))
    ingest_massmaps([tmp_path / "kappa.npy"], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        assert [len(set(shards.simulation(shards.split(split)))) for split in ("train", "validation", "test")] == [
            2,
            1,
            1,
        ]
        np.testing.assert_array_equal(shards.parameters(np.arange(12)), labels.reshape(12, 2))


def test_files_in_natural_order(tmp_path):
    for n in range(12):
        save(tmp_path / f"boxes/box_{n}.npy", n)
    labels = write_quijote(tmp_path / "t.txt", quijote_rows(12))
    config = dataclasses.replace(HERE, table=str(labels))
    with pytest.raises(InputError, match=r"which of its 12 rows belongs to which of the 12 files\? .*table_rows=order"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    config = dataclasses.replace(config, table_rows="order")
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        by_source = {entry.source.rpartition("_")[2]: entry.parameters["h"] for entry in shards.manifest.simulations}
    assert by_source == {f"{n}.npy": quijote_rows(12)[n, 2] for n in range(12)}


@pytest.mark.parametrize(("maps", "message"), [(10, "4 rows for 10 volumes or maps in 1 files"), (2, "4 rows for 2")])
def test_rows_in_order_must_divide_the_records(tmp_path, maps, message):
    save(tmp_path / "maps.npy", 0, (maps, 8, 8))
    table = write_quijote(tmp_path / "t.txt", quijote_rows(4))
    with pytest.raises(InputError, match=message):
        ingest_massmaps([tmp_path / "maps.npy"], tmp_path / "data", dataclasses.replace(MAPS, table=str(table)))


def test_camels_table_by_the_name_of_the_simulation(tmp_path):
    for n in range(4):
        save(tmp_path / f"Sims/IllustrisTNG/LH_{n}/grid.npy", n)
    table = write_named(tmp_path, "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", rows(4))
    config = dataclasses.replace(HERE, pattern="{simulation}/grid.npy", table=str(table))
    result = ingested([tmp_path / "Sims"], tmp_path / "data", config)
    assert list(result) == [f"LH_{n}" for n in range(4)]
    assert [list(parameters.values()) for parameters, _ in result.values()] == rows(4)[:, [0, 1, 2, 3, 4, 5]].tolist()


def test_a_path_that_contradicts_the_table_is_refused(tmp_path):
    save(tmp_path / "boxes/0_Om0.35.npy", 0)
    table = write_table(tmp_path / "t.csv", [{"simulation": "0", "Omega_m": 0.3}])
    config = dataclasses.replace(HERE, pattern="{simulation}_Om{omega_m}.npy", table=str(table))
    with pytest.raises(InputError, match=r"omega_m is 0.35 by ingest.pattern, but 0.3 in .*t.csv"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
