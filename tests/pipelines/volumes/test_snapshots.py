"""Particle snapshots through an ingest: files to sources, sources to records."""

import dataclasses
import hashlib

import numpy as np
import pytest
from tests.formats.ingested import HERE, records_of, rejected
from tests.formats.plain import write_table
from tests.formats.snapshots import uniform, write_gadget, write_swift

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.simulation.cosmology import Cosmology, growth
from tenfold.pipelines.simulation.initial_conditions import linear_field
from tenfold.pipelines.simulation.matter_power import linear_power
from tenfold.pipelines.simulation.nbody import evolve
from tenfold.pipelines.simulation.simulate import transfer_table
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.painting import WINDOW_ORDER, paint
from tenfold.stats.power import overdensity, power_spectrum

SNAPSHOTS = dataclasses.replace(HERE, mesh=16, length_unit="kpc/h", assignment="ngp")
BOX = 25000.0


def write_set(folder, count=5, files=3, particles=512):
    """Write one snapshot per folder, as Quijote has them, and a table of their parameters."""
    rows = []
    for n in range(count):
        path = folder / str(n) / "snapdir_004" / "snap_004.hdf5"
        path.parent.mkdir(parents=True)
        header = {"Omega0": 0.25 + 0.02 * n, "OmegaLambda": 0.75 - 0.02 * n}
        write_gadget(path, {1: (uniform(particles, BOX, n), 1.0)}, box=BOX, files=files, header=header)
        name = f"{n}/snapdir_004/snap_004{'.0' if files > 1 else ''}.hdf5"
        rows.append({"file": name, "sigma_8": 0.7 + 0.05 * n})
    return write_table(folder.parent / "table.csv", rows)


def test_the_files_of_a_snapshot_are_one_source(tmp_path):
    table = write_set(tmp_path / "quijote")
    config = dataclasses.replace(SNAPSHOTS, table=str(table))
    summary = ingest_volumes([tmp_path / "quijote"], tmp_path / "data", config)
    assert (summary.files, summary.simulations, summary.records) == (5, 5, 5)
    with Shards.open(tmp_path / "data") as shards:
        manifest = shards.manifest
    assert (manifest.shape, manifest.units, manifest.dtype) == ((16, 16, 16, 1), "counts", "int32")
    assert (manifest.box_mpc_h, manifest.redshifts, manifest.periodic) == (25.0, (0.0,), True)
    assert manifest.parameter_names == ("omega_m", "sigma_8")
    entry = manifest.simulations[0]
    assert entry.parameters["sigma_8"] == 0.7
    assert entry.parameters["omega_m"] == 0.25
    files = sorted((tmp_path / "quijote" / "0").rglob("*.hdf5"))
    assert entry.bytes == sum(file.stat().st_size for file in files)
    assert entry.sha256 == hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert {name: values.sum() for name, values in records_of(tmp_path / "data").items()} == {
        f"{n}/snapdir_004/snap_004.0.hdf5": 512 for n in range(5)
    }


def test_a_change_in_any_file_of_a_snapshot_is_noticed(tmp_path):
    table = write_set(tmp_path / "quijote")
    config = dataclasses.replace(SNAPSHOTS, table=str(table), records_per_shard=1)
    ingest_volumes([tmp_path / "quijote"], tmp_path / "data", config)
    assert ingest_volumes([tmp_path / "quijote"], tmp_path / "data", config).new_shards == 0
    header = {"Omega0": 0.25, "OmegaLambda": 0.75}
    path = tmp_path / "quijote" / "0" / "snapdir_004" / "snap_004.hdf5"
    x = uniform(512, BOX, 0)
    x[-1] = BOX / 2  # in the last file
    write_gadget(path, {1: (x, 1.0)}, box=BOX, files=3, header=header)
    assert ingest_volumes([tmp_path / "quijote"], tmp_path / "data", config).new_shards == 1


def test_a_snapshot_that_lacks_a_file_is_rejected_by_its_name(tmp_path):
    table = write_set(tmp_path / "quijote", count=6)
    (tmp_path / "quijote" / "3" / "snapdir_004" / "snap_004.2.hdf5").unlink()
    config = dataclasses.replace(SNAPSHOTS, table=str(table), rejected_threshold=0.5)
    assert ingest_volumes([tmp_path / "quijote"], tmp_path / "data", config).simulations == 5
    assert rejected(tmp_path / "data")["snap_004.0.hdf5"][1].endswith("of which snap_004.2.hdf5 is missing")


def test_boxes_that_are_only_called_like_files_of_a_snapshot_remain_boxes(tmp_path):
    for n in range(5):
        header = {"Omega0": 0.25 + 0.02 * n, "OmegaLambda": 0.75 - 0.02 * n}
        particles = {1: (uniform(64, BOX, n), 1.0)}
        write_gadget(tmp_path / f"lh_{n}.0.hdf5", particles, box=BOX, header=header)
    assert ingest_volumes([tmp_path], tmp_path / "data", SNAPSHOTS).simulations == 5


def test_virtual_files_beside_those_of_swift_are_left_out(tmp_path):
    for n in range(5):
        (tmp_path / "runs").mkdir(exist_ok=True)
        types = {1: (uniform(64, 50.0, n), np.full(64, 6.5))}
        write_swift(tmp_path / "runs" / f"lh_{n}.hdf5", types, box=50.0, omega_m=0.3 + 0.01 * n, files=2)
    assert len(list((tmp_path / "runs").iterdir())) == 15
    summary = ingest_volumes([tmp_path / "runs"], tmp_path / "data", dataclasses.replace(HERE, mesh=8))
    assert (summary.files, summary.simulations, len(summary.rejected)) == (5, 5, 0)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.box_mpc_h == pytest.approx(50 * 0.681)
        assert shards.manifest.units == "particles"


def test_boxes_of_one_side_in_mpc_whose_h_varies_are_packed_without_a_side(tmp_path):
    for n in range(5):
        (tmp_path / "runs").mkdir(exist_ok=True)
        types = {1: (uniform(64, 50.0, n), np.full(64, 6.5))}
        write_swift(tmp_path / "runs" / f"lh_{n}.hdf5", types, box=50.0, h=0.6 + 0.02 * n)  # 30, 31 … 34 Mpc/h
    config = dataclasses.replace(HERE, mesh=8)
    with pytest.raises(InputError, match=r"1 other file: box_mpc_h 3\d\.0, not 3.*ingest\.box_varies=true"):
        ingest_volumes([tmp_path / "runs"], tmp_path / "data", config)
    varying = dataclasses.replace(config, box_varies=True)
    summary = ingest_volumes([tmp_path / "runs"], tmp_path / "varying", varying)
    assert (summary.simulations, len(summary.rejected)) == (5, 0)
    with Shards.open(tmp_path / "varying") as shards:
        assert shards.manifest.box_mpc_h is None
        assert shards.manifest.parameter_names == ("h",)
    with pytest.raises(ValueError, match="box_varies: found true, and box_mpc_h, one side of all boxes"):
        dataclasses.replace(varying, box_mpc_h=50.0)


def test_snapshots_without_a_mesh_are_explained(tmp_path):
    write_set(tmp_path / "quijote")
    with pytest.raises(InputError, match=r"512 of type 1 \(dark matter\).*ingest\.mesh=8"):
        ingest_volumes([tmp_path / "quijote"], tmp_path / "data", dataclasses.replace(SNAPSHOTS, mesh=None))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mesh": 3}, "mesh: found 3, valid is 4 to"),
        ({"assignment": "cubic"}, "assignment: found 'cubic', valid are ngp, cic, tsc, pcs"),
        ({"length_unit": "m"}, "length_unit: found 'm', valid are kpc/h"),
        ({"particle_types": (9,)}, r"particle_types: found \(9,\), valid are 0 to 6"),
    ],
)
def test_settings_out_of_range_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Ingest(**values)


@pytest.fixture(scope="module")
def simulated():
    """Positions of the particles of a box of 64 Mpc/h today, in units of its side."""
    simulation = Simulation(count=1, particles=32, grid=32, box_mpc_h=64.0, steps=4, processes=1)
    power = linear_power(Cosmology(), transfer_table(simulation))
    modes = linear_field(power, 32, 64.0, np.random.default_rng(0))
    (positions,) = evolve(modes, growth(0.3), [0.0], steps=4, mesh_factor=2)
    return positions


@pytest.mark.parametrize("assignment", WINDOW_ORDER)
def test_a_simulation_of_ours_has_the_same_power_spectrum_as_a_snapshot(tmp_path, simulated, assignment):
    for n in range(3):
        header = {"Omega0": 0.3 + 0.01 * n, "OmegaLambda": 0.7 - 0.01 * n}
        positions = np.roll(simulated, n, axis=1) * np.float32(64000)
        write_gadget(tmp_path / f"{n}.hdf5", {1: (positions, 1.0)}, box=64000.0, header=header, files=2)
    config = dataclasses.replace(SNAPSHOTS, mesh=32, assignment=assignment)
    ingest_volumes([tmp_path], tmp_path / "data", config)
    cells = records_of(tmp_path / "data")["0"][0, ..., 0]
    order, direct = WINDOW_ORDER[assignment], paint(simulated, 32, assignment)
    spectra = [power_spectrum(overdensity(field), 64.0, window_order=order).power for field in (cells, direct)]
    np.testing.assert_allclose(spectra[0], spectra[1], rtol=1e-5)
