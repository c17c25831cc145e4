"""A trained network as one file: it survives a round trip, and any other file is refused by name."""

import hashlib
import io
import json
import pickle
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN, build
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.training.bundle import Bundle, find_bundle
from tenfold.pipelines.training.run_folder import RunFolder


def small() -> Bundle:
    weights = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64))
    return Bundle(
        kind="molecules", facts={"targets": ["gap"]}, weights=weights, splits="source,row,split\na.csv,1,train\n"
    )


def test_a_bundle_survives_a_round_trip(tmp_path: Path):
    small().write(tmp_path / "a.tenfold")
    again = Bundle.read(tmp_path / "a.tenfold", "molecules")
    assert again.facts["targets"] == ["gap"]
    assert again.splits == small().splits
    for restored, written in zip(again.weights, small().weights, strict=True):
        np.testing.assert_array_equal(restored, written)
        assert restored.dtype == written.dtype


def test_equal_content_gives_identical_files(tmp_path: Path):
    small().write(tmp_path / "a.tenfold")
    small().write(tmp_path / "b.tenfold")
    assert (tmp_path / "a.tenfold").read_bytes() == (tmp_path / "b.tenfold").read_bytes()


def write(path: Path, members: dict[str, bytes], facts: str | None = None, method: int = zipfile.ZIP_DEFLATED) -> None:
    """Write an archive whose checksums are right, whatever its members are."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    stated = facts or json.dumps({"format": "tenfold bundle", "version": 4, "kind": "molecules", "sha256": sums})
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in {"bundle.json": stated.encode(), **members}.items():
            archive.writestr(name, content)


class Exploding:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tenfold").write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(InputError, match="is a pickle"):
        Bundle.read(tmp_path / "model.tenfold", "molecules")
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_inside_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([Exploding()], dtype=object), allow_pickle=True)
    write(tmp_path / "model.tenfold", {"splits.csv": b"", "weights/0000.npy": buffer.getvalue()})
    with pytest.raises(InputError, match=r"holds \|O, not numbers"):
        Bundle.read(tmp_path / "model.tenfold", "molecules")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"not a bundle at all", b"PK\x03\x04 cut short"])
def test_anything_else_is_refused_by_name(tmp_path: Path, content: bytes):
    (tmp_path / "model.tenfold").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tenfold"):
        Bundle.read(tmp_path / "model.tenfold", "molecules")


def test_a_changed_weight_is_noticed(tmp_path: Path):
    small().write(tmp_path / "a.tenfold")
    with zipfile.ZipFile(tmp_path / "a.tenfold") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["weights/0001.npy"] = members["weights/0001.npy"][:-1] + b"\x01"
    with zipfile.ZipFile(tmp_path / "b.tenfold", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"0001\.npy is damaged"):
        Bundle.read(tmp_path / "b.tenfold", "molecules")


def npy(header: str, content: bytes = b"") -> bytes:
    """An NPY file of version 1.0 with any header."""
    text = header.replace(")}", "), }").encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


ONE = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"\0" * 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"), "0 bytes follow"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}", b"\0" * 4), "not an NPY file"),
        (npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", b"\0" * 4), "Fortran order"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8), "holds .O, not numbers"),
        (npy("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", b"\0" * 4), "holds <U1, not numbers"),
        (npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8), "holds <c8, not numbers"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"\0" * 4), "not an NPY file"),
        (npy("__import__('os').mkdir('made')"), r"weights/0000\.npy"),
        (npy("[" * 5000), r"weights/0000\.npy"),
        (b"not NPY", r"weights/0000\.npy"),
        (b"", r"weights/0000\.npy"),
    ],
)
def test_an_invalid_array_header_is_refused_without_a_large_allocation(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.tenfold", {"splits.csv": b"", "weights/0000.npy": content})
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as refused:
        Bundle.read(tmp_path / "a.tenfold", "molecules")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert str(tmp_path / "a.tenfold") in str(refused.value)
    assert not (tmp_path / "made").exists()


def lying(path: Path) -> None:
    """A member of 100 MB that states a size of 4 bytes, in its own header and in the directory."""
    write(path, {"splits.csv": b"\0" * 10**8})
    raw = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = raw.index(b"splits.csv", raw.rindex(signature)) if place == 24 else raw.index(b"splits.csv")
        at = raw.rindex(signature, 0, start)
        raw[at + place : at + place + 4] = struct.pack("<I", 4)
    path.write_bytes(raw)


def many(path: Path) -> None:
    write(path, {f"weights/{number:04d}.npy": ONE for number in range(10_001)}, method=zipfile.ZIP_STORED)


def twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as archive:
        for _ in range(2):
            archive.writestr("bundle.json", "{}")


def packed_otherwise(path: Path) -> None:
    write(path, {"splits.csv": b"\0" * 10**6}, method=zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: write(path, {"splits.csv": b"\0" * 2**25}), "0.0 GiB, more than largest_gib 0.02"),
        (lying, "cut short|CRC|Bad"),
        (many, "an archive of 10,002 members"),
        (twice, "two members have the same name"),
        (packed_otherwise, "packed by method 14"),
        (lambda path: write(path, {"splits.csv": b"", "weights/0001.npy": ONE}), "without gaps: 'weights/0001.npy'"),
        (lambda path: write(path, {"splits.csv": b"", "../../evil": b""}), "without gaps: '../../evil'"),
        (lambda path: write(path, {"weights/0000.npy": ONE}), "splits.csv is missing"),
    ],
)
def test_a_malicious_archive_is_refused_before_it_is_unpacked(tmp_path, make, message):
    make(tmp_path / "a.tenfold")
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        Bundle.read(tmp_path / "a.tenfold", "molecules", largest_gib=0.02)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_the_limit_can_be_raised(tmp_path):
    write(tmp_path / "a.tenfold", {"splits.csv": b"0" * 2**25})
    assert len(Bundle.read(tmp_path / "a.tenfold", "molecules", largest_gib=0.05).splits) == 2**25


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ("[]", "is not an object"),
        ('{"format": "tenfold bundle", "version": NaN}', "NaN is not a finite number"),
        ('{"format": "tenfold bundle", "version": 1e999}', "1e999 is not a finite number"),
        ('{"version": 3, "version": 3}', "a key is repeated"),
        (
            '{"format": "tenfold molecules", "version": 1, "sha256": {}}',
            "earlier version of tenfold .bundle version 1; this",
        ),
        (
            '{"format": "tenfold estimator", "version": 3, "sha256": {}}',
            "earlier version of tenfold .bundle version 3; this",
        ),
        (
            '{"format": "tenfold bundle", "version": 5, "sha256": {}}',
            "bundle version 5; this version of tenfold reads 4",
        ),
        ('{"format": "other", "version": 4, "sha256": {}}', "format 'other'. Expected a bundle"),
        ('{"format": ["tenfold molecules"], "version": 3}', "format .'tenfold molecules'.. Expected a bundle"),
        (
            '{"format": "tenfold bundle", "version": 4, "kind": "graph"}',
            "kind 'graph'; valid are estimator, emulator, mol",
        ),
        ('{"format": "tenfold bundle", "version": 4, "kind": ["molecules"]}', "kind .'molecules'.; valid are"),
        ('{"format": "tenfold bundle", "version": 4, "kind": "estimator"}', "is a bundle of `tenfold train estimator`"),
        ('{"format": "tenfold bundle", "version": 4, "kind": "molecules", "sha256": 7}', "sha256 does not list"),
        (
            '{"format": "tenfold bundle", "version": 4, "kind": "molecules", "sha256": ["splits.csv"]}',
            "sha256 does not list",
        ),
        ('{"format": "tenfold bundle", "version": 4, "kind": "molecules", "sha256": {}}', "sha256 does not list"),
        (
            '{"format": "tenfold bundle", "version": 4, "kind": "molecules", "sha256": {"splits.csv": 7}}',
            "splits.csv is damaged",
        ),
        (
            '{"format": "tenfold bundle", "version": 4, "kind": "molecules", "sha256": {"splits.csv": {}}}',
            "splits.csv is damaged",
        ),
        ('{"format": "tenfold bundle", "version": 4, "kind": "molecules"}', "cannot be read as a trained network"),
        ('"' + "a" * 2**24 + '"', "bundle.json: 16,777,218 bytes, more than 16,777,216"),
        ("\xff\xfe", "cannot be read as a trained network"),
    ],
)
def test_facts_that_are_not_those_of_a_bundle_are_refused(tmp_path, facts, message):
    write(tmp_path / "a.tenfold", {"splits.csv": b""}, facts)
    with pytest.raises(InputError, match=message):
        Bundle.read(tmp_path / "a.tenfold", "molecules")


@dataclass(frozen=True, kw_only=True)
class Config:
    """A configuration, like those of estimators, emulators and predictors."""

    architecture: CNN
    location: tuple[float, ...] = (0.3,)
    scale: tuple[float, ...] = (0.1,)

    def network(self, seed: int = 0) -> keras.Model:
        return build(self.architecture, location=self.location, scale=self.scale, seed=seed)


ARCHITECTURE = CNN(size=8, filters=(4,), dense_units=(8,))


def changed(path: Path, change: Callable[[dict], object]) -> None:
    """Write a network with changed facts and matching checksums."""
    config = Config(architecture=ARCHITECTURE)
    bundle = Bundle.of("molecules", config, config.network(seed=3), {})
    facts = json.loads(json.dumps(bundle.facts))
    change(facts["network"])
    Bundle(kind="molecules", facts=facts, weights=bundle.weights).write(path)


def test_a_network_is_restored_exactly(tmp_path):
    config = Config(architecture=ARCHITECTURE)
    network = config.network(seed=3)
    Bundle.of("molecules", config, network, {"note": 1}).write(tmp_path / "a.tenfold")
    bundle = Bundle.read(tmp_path / "a.tenfold", "molecules")
    again, same = bundle.rebuild(Config)
    assert again == config
    assert bundle.facts["note"] == 1
    field = np.random.default_rng(0).poisson(1, (2, 8, 8, 8, 1)).astype(np.int16)
    assert (np.asarray(same(field)) == np.asarray(network(field))).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda config: config["architecture"].update(filters=[10**9]),
            "filters: found 1000000000, must be at most 65,536",
        ),
        (lambda config: config["architecture"].update(filters=[65_536]), "its weights do not fit the network"),
        (lambda config: config["architecture"].update(filters=[2.0]), "architecture.filters.0: "),
        (lambda config: config["architecture"].update(channels=True), "architecture.channels: "),
        (lambda config: config["architecture"].update(size="8"), "architecture.size: "),
        (lambda config: config["architecture"].update(size=10**400), "architecture.size: |size: "),
        (lambda config: config["architecture"].update(activation="no such"), "its weights do not fit the network"),
        (lambda config: config["architecture"].update(more=1), "its keys or values are not those that this version"),
        (lambda config: config["architecture"].pop("padding"), "its keys or values are not those that this version"),
        (lambda config: config.update(location=[None]), "location.0: "),
        (lambda config: config.update(scale=[-1.0]), "its weights do not fit the network"),
        (lambda config: config.clear(), "architecture: "),
    ],
)
def test_a_configuration_that_this_version_does_not_write_is_refused(tmp_path, change, message):
    changed(tmp_path / "a.tenfold", change)
    with pytest.raises(InputError, match=message) as refused:
        Bundle.read(tmp_path / "a.tenfold", "molecules").rebuild(Config)
    assert str(tmp_path / "a.tenfold") in str(refused.value)
    assert "Train again" in str(refused.value)


def test_an_architecture_of_before_there_were_masks_is_read(tmp_path):
    def forget(config):
        for name in ("width", "masked", "pad"):
            del config["architecture"][name]

    changed(tmp_path / "a.tenfold", forget)
    config, _ = Bundle.read(tmp_path / "a.tenfold", "molecules").rebuild(Config)
    assert config.architecture == ARCHITECTURE


def test_an_activation_is_a_name_that_keras_knows_never_an_object(tmp_path):
    changed(tmp_path / "a.tenfold", lambda config: config["architecture"].update(activation={"class_name": "Lambda"}))
    with pytest.raises(InputError, match=r"architecture\.activation: "):
        Bundle.read(tmp_path / "a.tenfold", "molecules").rebuild(Config)


def test_a_bundle_is_found_by_itself_or_by_its_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    small().write(folder.bundle)
    assert find_bundle(folder.bundle) == find_bundle(folder.path) == folder.bundle
    assert Bundle.read(folder.path).kind == Bundle.read(str(folder.path), "molecules").kind == "molecules"
    folder.bundle.unlink()
    with pytest.raises(InputError, match=r"run\.json: does not exist, so no training has finished"):
        Bundle.read(folder.path)
    folder.write_record("molecules", {"data": "gone"})
    with pytest.raises(InputError, match=r"bundle\.tenfold: does not exist"):
        Bundle.read(folder.path)
    with pytest.raises(InputError, match=r"none\.tenfold: cannot be read as a trained network"):
        Bundle.read(tmp_path / "none.tenfold")


@pytest.mark.parametrize("name", ["network.tenfold", "network.keras"])
def test_a_run_of_an_earlier_version_is_refused_with_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(
        InputError, match=rf"{re.escape(name)}: was written by an earlier version of tenfold.* Train again"
    ):
        Bundle.read(tmp_path)
