"""Damaged or malicious records are reported with file and key, never by a traceback."""

import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest
from tests.formats.ingested import HERE, boxes
from tests.formats.molecules import CONFIG as MOLECULES
from tests.formats.molecules import write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.comparison import read_predictions
from tenfold.pipelines.files.json_file import read_json, read_numbers
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

OTHERS = (None, True, -1, 10**30, 1.5, "x", "", [], [[]], {}, [None], {"x": None}, float("nan"), float("inf"))
BROKEN = (b"", b"{", b"null", b"[]", b"3", b"\xff\xfe", b"[" * 10**5, b'{"a":' * 10**5, b"\x00" * 100, b'"' * 9)
RUN = {
    "what": "estimator", "data": "data", "fingerprint": "f", "names": ["omega_m"], "sigma_factor": [1.0],
    "network": {}, "training": {},
    "views": 1, "parameters": 10, "ranks": 1, "versions": {"numpy": "2"}, "seed": 0, "wall_s": 1.0,
}  # fmt: skip


def places(tree, path=()):
    """Path of every value of a tree of dictionaries and lists."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree, path, value):
    copy = json.loads(json.dumps(tree))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if value is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


def damages(tree, seed=0, most=400):
    """Bytes of a JSON file, each damaged in one place."""
    whole = json.dumps(tree).encode()
    drawn = [(path, value) for path in places(tree) for value in (*OTHERS, KeyError)]
    random.Random(seed).shuffle(drawn)
    yield from BROKEN
    yield from (whole[: len(whole) * n // 9] for n in range(9))
    yield from (json.dumps(changed(tree, *damage)).encode() for damage in drawn[:most])
    yield json.dumps({**tree, "unknown": 1}).encode()


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    boxes(folder / "boxes", 4)
    ingest_volumes([folder / "boxes"], folder / "data", HERE)
    return folder / "data"


@pytest.fixture(scope="module")
def molecules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("molecules")
    ingest_molecules(
        [write_table(folder / "m.csv")], folder / "data", dataclasses.replace(MOLECULES, records_per_shard=8)
    )
    return folder / "data"


@pytest.mark.parametrize(("kind", "name"), [(Shards, "volumes"), (MoleculeShards, "molecules")])
def test_a_damaged_manifest_is_read_right_or_refused(kind, name, request):
    path = request.getfixturevalue(name) / "manifest.json"
    whole = path.read_bytes()
    refused = 0
    try:
        for raw in damages(json.loads(whole)):
            path.write_bytes(raw)
            try:
                with kind.open(path.parent) as shards:
                    shards.split("train")
            except InputError as error:
                assert str(path.parent) in str(error)
                refused += 1
    finally:
        path.write_bytes(whole)
    assert refused > 250


@pytest.mark.parametrize(("kind", "name"), [(Shards, "volumes"), (MoleculeShards, "molecules")])
@pytest.mark.parametrize("file", ["../elsewhere.h5", "/etc/passwd", "a/b.h5", "..", "", ".hidden", "a\\b.h5", "a\0b"])
def test_a_shard_stays_in_its_folder(kind, name, file, request):
    path = request.getfixturevalue(name) / "manifest.json"
    whole = path.read_bytes()
    try:
        path.write_text(json.dumps(changed(json.loads(whole), ("shards", 0, "file"), file)))
        with pytest.raises(InputError, match=r"manifest.json: .*shards.0.*is not the name of a file"):
            kind.open(path.parent)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(("kind", "name"), [(Shards, "volumes"), (MoleculeShards, "molecules")])
def test_a_shard_that_links_outside_its_folder_is_refused(kind, name, request, tmp_path):
    source = request.getfixturevalue(name)
    (tmp_path / "data").mkdir()
    for file in source.iterdir():
        (tmp_path / "data" / file.name).write_bytes(file.read_bytes())
    shard = next(path for path in sorted((tmp_path / "data").iterdir()) if path.name.endswith("_00000.h5"))
    shard.rename(tmp_path / "elsewhere.h5")
    shard.symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(InputError, match=r"_00000.h5: leads out of its folder, to .*elsewhere.h5"):
        kind.open(tmp_path / "data")


def test_damaged_records_of_a_run_are_read_right_or_refused(tmp_path):
    path = tmp_path / "run.json"
    for raw in damages(RUN):
        path.write_bytes(raw)
        try:
            record = RunFolder(tmp_path).read_record()
            for name in RUN:
                record[name]
        except InputError as error:
            assert str(error).startswith(f"{path}: damaged, ")
            continue
        assert json.loads(raw).keys() >= RUN.keys()
    path.write_text(json.dumps({**RUN, "names": ["omega_m", "sigma_8"]}))
    with pytest.raises(InputError, match=r"run.json: damaged, 2 names, 1 sigma_factor"):
        RunFolder(tmp_path).read_record()


@pytest.mark.parametrize("raw", [*BROKEN, b"epoch,loss\n1,x\n", b"epoch,loss\n1,2,3,4\n", b"epoch\n\x00\n"])
def test_a_damaged_history_is_read_right_or_refused(raw, tmp_path):
    (tmp_path / "history.csv").write_bytes(raw)
    try:
        history = RunFolder(tmp_path).read_history()
    except InputError as error:
        assert "history.csv: damaged" in str(error)
    else:
        assert all(values.dtype == float for values in history.values())


@pytest.mark.parametrize("raw", [*BROKEN, b"a: &a [*a]\n", b"a: 1\na: 2\n"])
def test_a_damaged_configuration_of_a_run_is_refused(raw, tmp_path):
    (tmp_path / "config.yaml").write_bytes(raw)
    if raw:
        with pytest.raises(InputError, match=r"config.yaml"):
            RunFolder(tmp_path).read_config()


def predictions(folder: Path, **changes) -> Path:
    arrays = {
        "names": np.array(["omega_m"]), "test_record": np.arange(3), "test_simulation": np.array(["a", "b", "c"]),
        "test_true": np.ones((3, 1)), "test_mean": np.ones((3, 1)), "test_sigma": np.ones((3, 1)),
    }  # fmt: skip
    path = folder / "predictions.npz"
    np.savez_compressed(path, **{name: value for name, value in {**arrays, **changes}.items() if value is not None})
    return path


def test_damaged_predictions_are_refused(tmp_path):
    whole = predictions(tmp_path).read_bytes()
    assert set(read_predictions(RunFolder(tmp_path))) >= {"names", "test_sigma"}
    flips = [bytes([*whole[:n], whole[n] ^ 0xFF, *whole[n + 1 :]]) for n in range(0, len(whole), 7)]
    for raw in (*BROKEN, *(whole[: len(whole) * n // 9] for n in range(9)), *flips):
        (tmp_path / "predictions.npz").write_bytes(raw)
        try:
            read_predictions(RunFolder(tmp_path))
        except InputError as error:
            assert "predictions.npz" in str(error)
    for changes in (
        {"test_mean": None}, {"test_mean": np.ones((2, 1))}, {"test_mean": np.ones((3, 2))}, {"names": np.array(3)},
        {"test_record": np.ones((3, 1), int)}, {"test_true": np.array(["x"] * 3)}, {"test_record": np.ones(3)},
        {"test_sigma": np.array([None] * 3)},
    ):  # fmt: skip
        predictions(tmp_path, **changes)
        with pytest.raises(InputError, match=r"predictions\.npz"):
            read_predictions(RunFolder(tmp_path))


@pytest.mark.parametrize(
    "raw", [*BROKEN, b'{"train": "x"}', b'{"train": NaN}', b'{"train": true}', b'{"train": 1e999}']
)
def test_damaged_times_of_stages_are_refused(raw, tmp_path):
    path = tmp_path / "stages.json"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"stages.json: .* Remove it, then run again"):
        read_numbers(path)
    assert read_numbers(tmp_path / "none.json") == {}


def test_an_unreadable_json_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a.json: cannot be read"):
        read_json(tmp_path / "a.json")
