import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tenfold.pipelines.bundle import Bundle
from tenfold.pipelines.errors import InputError


def small() -> Bundle:
    weights = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64))
    return Bundle(facts={"targets": ["gap"]}, weights=weights, splits="source,row,split\na.csv,1,train\n")


def test_what_is_written_is_read_back(tmp_path: Path):
    small().write(tmp_path / "a.tenfold")
    again = Bundle.read(tmp_path / "a.tenfold")
    assert again.facts["targets"] == ["gap"]
    assert again.splits == small().splits
    for ours, theirs in zip(again.weights, small().weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_the_same_content_is_the_same_file(tmp_path: Path):
    small().write(tmp_path / "a.tenfold")
    small().write(tmp_path / "b.tenfold")
    assert (tmp_path / "a.tenfold").read_bytes() == (tmp_path / "b.tenfold").read_bytes()


class Exploding:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tenfold").write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(InputError, match="is a pickle"):
        Bundle.read(tmp_path / "model.tenfold")
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_inside_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import hashlib
    import io

    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([Exploding()], dtype=object), allow_pickle=True)
    sums = {"weights/0000.npy": hashlib.sha256(buffer.getvalue()).hexdigest()}
    with zipfile.ZipFile(tmp_path / "model.tenfold", "w") as archive:
        archive.writestr("bundle.json", json.dumps({"format": "tenfold molecules", "version": 2, "sha256": sums}))
        archive.writestr("weights/0000.npy", buffer.getvalue())
    with pytest.raises(InputError, match="allow_pickle"):
        Bundle.read(tmp_path / "model.tenfold")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"not a bundle at all", b"PK\x03\x04 cut short"])
def test_anything_else_is_refused_by_name(tmp_path: Path, content: bytes):
    (tmp_path / "model.tenfold").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tenfold"):
        Bundle.read(tmp_path / "model.tenfold")


def test_a_changed_weight_is_noticed(tmp_path: Path):
    small().write(tmp_path / "a.tenfold")
    with zipfile.ZipFile(tmp_path / "a.tenfold") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["weights/0001.npy"] = members["weights/0001.npy"][:-1] + b"\x01"
    with zipfile.ZipFile(tmp_path / "b.tenfold", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"0001\.npy is damaged"):
        Bundle.read(tmp_path / "b.tenfold")
