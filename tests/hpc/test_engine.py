import json

import pytest

from tenfold.hpc.engine import Engine, EngineError
from tenfold.hpc.scheduler import check_reachable
from tenfold.hpc.worker import Site, code_digest, objection
from tenfold.pipelines import Ingest, InputError
from tenfold.pipelines.config import load
from tenfold.pipelines.studies.cosmology_config import CosmologyRun


@pytest.mark.parametrize(
    "address", ["tcp://node1:8786", "tls://10.0.0.1:8786", "tcp://[2001:db8::1]:8786", "tcp://node1:8786/"]
)
def test_addresses_of_schedulers(address):
    assert Engine(scheduler=address).address() == address.rstrip("/")


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("http://node1:8786", "valid are tcp://HOST:PORT, tls://HOST:PORT or the path of a scheduler file"),
        ("tcp://node1", "valid are"),
        ("node1:8786", "did you mean tcp://node1:8786?"),
    ],
)
def test_what_is_no_address_is_refused_with_the_key(named, reason):
    with pytest.raises(ValueError, match=r"^dask: found .*") as caught:
        Ingest(dask=named)
    assert reason in str(caught.value)
    with pytest.raises(InputError, match=rf"^--set ingest.dask={named}: ingest.dask: found"):
        load(CosmologyRun, settings=(f"ingest.dask={named}",))


def test_a_scheduler_file_gives_the_address(tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"type": "Scheduler", "address": "tcp://10.0.0.1:39001", "workers": {}}))
    assert Engine(scheduler=str(file)).address() == "tcp://10.0.0.1:39001"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("not JSON", "Expecting value"),
        ("[]", "list indices"),
        ("{}", "no key 'address'"),
        ('{"address": 5}', "address 5, expected tcp://HOST:PORT"),
        ('{"address": "inproc://10.0.0.1/5/1"}', "expected tcp://HOST:PORT"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_scheduler_file_is_named(tmp_path, content, reason):
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(EngineError, match=rf"^--dask {file}: .*{reason}"):
        Engine(scheduler=str(file)).address()


def test_a_refused_connection_is_reported_at_once():
    with pytest.raises(
        EngineError, match=r"tcp://127.0.0.1:1: no scheduler answers within 15 s \(Connection refused\)"
    ):
        check_reachable(Engine(scheduler="tcp://127.0.0.1:1"))


def test_only_a_scheduler_needs_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Engine(processes=3).path(tmp_path / "a") == tmp_path / "a"
    assert Engine(scheduler="tcp://node1:8786").path(tmp_path.relative_to(tmp_path) / "a") == tmp_path / "a"


def test_a_worker_objects_to_other_code_and_other_files(tmp_path):
    size = 3
    (tmp_path / "box.h5").write_bytes(bytes(size))
    (tmp_path / "probe").write_text("1234")
    known = {"folder": tmp_path, "token": "1234", "code": code_digest(), "inputs": ((str(tmp_path / "box.h5"), size),)}
    assert objection(Site(**known)) == ""
    assert "runs another version of tenfold" in objection(Site(**known | {"code": "0" * 64}))
    assert "probe has another content" in objection(Site(**known | {"token": "4321"}))
    elsewhere = objection(Site(**known | {"folder": tmp_path / "elsewhere"}))
    assert "cannot read" in elsewhere
    assert "must share a file system" in elsewhere
    assert "box.h5 has 3 bytes, not 4" in objection(Site(**known | {"inputs": ((str(tmp_path / "box.h5"), 4),)}))
    assert "cannot read" in objection(Site(**known | {"inputs": ((str(tmp_path / "none.h5"), 3),)}))
