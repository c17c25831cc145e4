import dataclasses

import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw
from tests.formats.ingested import HERE, boxes, bytes_of, records_of
from tests.formats.plain import write_dataset, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.ingest import Ingest, estimate_size, ingest_volumes
from tenfold.pipelines.volumes.shards import Shards


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_sub_volumes_put_together_are_the_box(tmp_path, cut):
    full = boxes(tmp_path / "boxes", 5)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, patches_per_side=cut))
    assert summary.records == 5 * cut**3
    records = records_of(tmp_path / "data")
    for n, box in enumerate(full):
        pieces = records[f"universe {n}"].reshape(cut, cut, cut, 8 // cut, 8 // cut, 8 // cut, 2)
        together = pieces.transpose(0, 3, 1, 4, 2, 5, 6).reshape(8, 8, 8, 2)
        np.testing.assert_array_equal(together, box)


def test_the_manifest_describes_the_records(tmp_path):
    boxes(tmp_path / "boxes", 5)
    config = dataclasses.replace(HERE, patches_per_side=2, box_mpc_h=512.0)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        manifest = shards.manifest
        assert (manifest.shape, manifest.dtype, manifest.units) == ((4, 4, 4, 2), "int16", "counts")
        assert (manifest.box_mpc_h, manifest.periodic, manifest.redshifts) == (256.0, False, (0, 0.5))
        assert manifest.parameter_names == ("omega_m", "sigma_8")
        assert manifest.simulations[0].parameters["h"] == pytest.approx(0.7)


def test_named_parameters_are_targets_even_if_they_do_not_vary(tmp_path):
    boxes(tmp_path / "boxes", 5)
    config = dataclasses.replace(HERE, parameters=("h", "omega_m"))
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.parameter_names == ("h", "omega_m")
        np.testing.assert_allclose(shards.parameters(np.arange(5))[:, 0], 0.7)


def test_a_parameter_the_files_do_not_have_is_named_with_those_they_have(tmp_path):
    boxes(tmp_path / "boxes", 5)
    with pytest.raises(InputError, match="has no parameter omega_b; it has omega_m, sigma_8, n_s, h"):
        ingest_volumes(
            [tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, parameters=("omega_m", "omega_b"))
        )


def test_overdensities_below_minus_one_have_no_log1p(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "boxes").mkdir()
    for n in range(5):
        write_raw(tmp_path / "boxes" / f"{n}.h5", n, full=rng.normal(size=(8, 8, 8, 2)).astype(np.float32))
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", HERE)
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.log1p is None
        assert shards.manifest.dtype == "float32"
        assert shards.manifest.value.std == pytest.approx(1, rel=0.1)


def test_npy_files_take_their_parameters_from_the_table(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "arrays").mkdir()
    rows = []
    for n in range(6):
        np.save(tmp_path / "arrays" / f"{n}.npy", rng.normal(size=(4, 4, 4)))
        rows.append({"file": f"{n}.npy", "omega_m": 0.1 + 0.05 * n, "sigma_8": 0.8})
    table = write_table(tmp_path / "table.csv", rows)
    ingest_volumes([tmp_path / "arrays"], tmp_path / "data", dataclasses.replace(HERE, table=str(table)))
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.parameter_names == ("omega_m",)
        np.testing.assert_allclose(shards.parameters(np.arange(6))[:, 0], [row["omega_m"] for row in rows])


def test_plain_datasets_are_packed_too(tmp_path):
    (tmp_path / "boxes").mkdir()
    for n in range(4):
        values = np.random.default_rng(n).normal(size=(4, 4, 4)).astype(np.float32)
        write_dataset(tmp_path / "boxes" / f"{n}.h5", "a/b", values, omega_m=0.2 + n / 20, sigma_8=0.8)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, key="a/b"))
    assert summary.records == 4


@pytest.mark.slow
def test_dask_workers_make_the_same_bytes_as_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tenfold.pipelines.volumes.ingest.BYTES_PER_PROCESS", 1)
    boxes(tmp_path / "boxes", 10)
    for name, processes in (("one", 1), ("two", 2)):
        config = dataclasses.replace(HERE, patches_per_side=2, processes=processes)
        ingest_volumes([tmp_path / "boxes"], tmp_path / name, config)
    one, two = bytes_of(tmp_path / "one"), bytes_of(tmp_path / "two")
    assert one == two


def test_the_estimated_size_is_that_of_the_shards(tmp_path):
    boxes(tmp_path / "boxes", 5)
    config = dataclasses.replace(HERE, patches_per_side=2)
    estimated = estimate_size([tmp_path / "boxes"], config)
    assert not (tmp_path / "data").exists()
    made = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config)
    assert (estimated.files, estimated.simulations, estimated.records) == (made.files, made.simulations, made.records)
    assert estimated.record == (4, 4, 4, 2)
    assert estimated.bytes == made.records * 4**3 * 2 * 2


def test_paths_without_files_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such file or folder"):
        ingest_volumes([tmp_path / "nowhere"], tmp_path / "data", HERE)
    with pytest.raises(InputError, match="no files of volumes found"):
        ingest_volumes([tmp_path], tmp_path / "data", HERE)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patches_per_side": 0}, "patches_per_side: found 0"),
        ({"fractions": (0.8, 0.1, 0.2)}, "fractions: found"),
        ({"fractions": (0.0, 0.5, 0.5)}, "the first, for training"),
        ({"unit_ranges": {"omega": (0.0, 1.0)}}, "unit_ranges: found 'omega', valid are omega_m, sigma_8"),
        ({"table_rows": "order"}, "no table is given"),
        ({"table": "t.csv", "table_rows": "name"}, "table_rows: found 'name', valid are auto, file, simulation, order"),
        ({"compression": "gzip"}, "compression: found 'gzip', valid are none, blosc-lz4"),
        ({"rejected_threshold": 2}, "rejected_threshold: found 2"),
        ({"processes": 0}, "processes: found 0"),
        ({"box_mpc_h": -1.0}, "box_mpc_h: found -1.0"),
    ],
)
def test_an_invalid_configuration_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Ingest(**wrong)


def test_a_cut_that_does_not_divide_the_box_is_refused(tmp_path):
    boxes(tmp_path / "boxes", 4)
    with pytest.raises(InputError, match="side of 8 voxels cannot be divided into 3 equal parts"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, patches_per_side=3))
