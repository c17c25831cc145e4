import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules import published as module
from tenfold.pipelines.molecules.published import DATASETS, Dataset, PublishedFile, fetch_dataset
from tenfold.pipelines.storage.output_folder import RECORD, OutputFolder

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass
class Mirror:
    """Local server with configurable faults."""

    content: bytes = CONTENT
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    """Bytes after which successive connections are interrupted."""
    status: int = 200
    sends_length: bool = True
    requests: list[str] = field(default_factory=list)
    """Requested ranges, "" for the whole file."""
    url: str = ""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    state = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests = self.headers.get("Range", "")
            state.requests.append(requests)
            if state.status != 200:
                self.send_error(state.status)
                return
            resumed = re.fullmatch(r"bytes=(\d+)-", requests) if state.ranges else None
            start = int(resumed[1]) if resumed else 0
            if resumed and start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if resumed else 200)
            if resumed:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            if state.sends_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.breaks.pop(0)] if state.breaks else body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/sets/"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def published(monkeypatch) -> None:
    """Small data sets: with a known checksum, and without."""
    known = PublishedFile(
        name="known.csv", url="http://127.0.0.1:9/known.csv", bytes=len(CONTENT), sha256=sha256(CONTENT)
    )
    new = PublishedFile(name="new.csv", url="http://127.0.0.1:9/new.csv")
    by_md5 = PublishedFile(name="md5.csv", url="http://127.0.0.1:9/md5.csv", md5=hashlib.md5(CONTENT).hexdigest())
    for name, file in (("known", known), ("new", new), ("md5", by_md5)):
        monkeypatch.setitem(DATASETS, name, Dataset(files=(file,), targets="y", source="nobody"))
    monkeypatch.setattr(module.time, "sleep", lambda _: None)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {RECORD}


def test_a_file_is_fetched_once(mirror, tmp_path):
    fetched = fetch_dataset("known", tmp_path, mirror.url)
    assert (fetched.made, [path.read_bytes() for path in fetched.files]) == (1, [CONTENT])
    assert fetch_dataset("known", tmp_path, mirror.url).made == 0
    assert mirror.requests == [""]
    assert names(tmp_path) == {"known.csv"}


def test_an_interrupted_download_is_resumed(mirror, tmp_path):
    mirror.breaks = [100_000, 50_000]
    fetch_dataset("known", tmp_path, mirror.url)
    assert mirror.requests == ["", "bytes=100000-", "bytes=150000-"]
    assert (tmp_path / "known.csv").read_bytes() == CONTENT


def test_after_many_interruptions_the_next_call_resumes(mirror, tmp_path):
    mirror.breaks = [10_000] * module.MAX_ATTEMPTS
    with pytest.raises(InputError, match="The partial download is kept: run again to resume"):
        fetch_dataset("known", tmp_path, mirror.url)
    assert names(tmp_path) == {"known.csv.partial"}
    fetch_dataset("known", tmp_path, mirror.url)
    assert mirror.requests[-1] == f"bytes={10_000 * module.MAX_ATTEMPTS}-"
    assert (tmp_path / "known.csv").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file(mirror, tmp_path):
    mirror.ranges, mirror.breaks = False, [100_000]
    fetch_dataset("known", tmp_path, mirror.url)
    assert mirror.requests == ["", "bytes=100000-"]
    assert (tmp_path / "known.csv").read_bytes() == CONTENT


def test_a_complete_partial_download_is_only_checked(mirror, tmp_path):
    OutputFolder.claim(tmp_path, ["known.csv.partial", "new.csv.partial"])
    (tmp_path / "known.csv.partial").write_bytes(CONTENT)
    fetch_dataset("known", tmp_path, mirror.url)
    assert mirror.requests == []
    (tmp_path / "new.csv.partial").write_bytes(CONTENT)
    fetch_dataset("new", tmp_path, mirror.url)  # of unknown size: the server has to say that nothing is missing
    assert mirror.requests == ["bytes=300000-"]
    assert names(tmp_path) == {"known.csv", "new.csv", "checksums.json"}


@pytest.mark.parametrize("beginning", [b"x" * 100_000, b"x" * 400_000])
def test_a_partial_download_of_another_version_is_discarded(mirror, tmp_path, beginning):
    OutputFolder.claim(tmp_path, ["known.csv.partial"])
    (tmp_path / "known.csv.partial").write_bytes(beginning)
    fetch_dataset("known", tmp_path, mirror.url)
    assert mirror.requests[-1] == ""
    assert (tmp_path / "known.csv").read_bytes() == CONTENT


@pytest.mark.parametrize("sends_length", [True, False])
@pytest.mark.parametrize(
    "content", [CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), CONTENT + b"!", CONTENT[:-1], b"<html>log in</html>", b""]
)
def test_wrong_content_never_gets_the_final_name(mirror, tmp_path, content, sends_length):
    mirror.content, mirror.sends_length = content, sends_length
    with pytest.raises(InputError, match=r"known.csv: .* expected.*\. Is it another version"):
        fetch_dataset("known", tmp_path, mirror.url)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("name", ["known.csv.partial", "checksums.json"])
def test_files_of_the_user_are_not_modified(mirror, tmp_path, name):
    (tmp_path / name).write_text('{"mine": "own"}')
    with pytest.raises(InputError, match=f"{name}: "):
        fetch_dataset("known", tmp_path, mirror.url)
    assert (tmp_path / name).read_text() == '{"mine": "own"}'
    assert mirror.requests == []


def test_a_damaged_file_on_disk_is_reported(mirror, tmp_path):
    (tmp_path / "known.csv").write_bytes(CONTENT[::-1])
    with pytest.raises(InputError, match=r"known.csv: SHA-256 .*, expected .*\. Remove it, then run again"):
        fetch_dataset("known", tmp_path, mirror.url)


def test_a_file_downloaded_by_hand_is_checked_and_accepted(tmp_path):
    (tmp_path / "known.csv").write_bytes(CONTENT)
    assert fetch_dataset("known", tmp_path).made == 0


def test_an_unknown_checksum_is_recorded_and_checked_later(mirror, tmp_path):
    fetch_dataset("new", tmp_path, mirror.url)
    assert json.loads((tmp_path / "checksums.json").read_text()) == {"new.csv": sha256(CONTENT)}
    (tmp_path / "new.csv").unlink()
    mirror.content = CONTENT[::-1]
    with pytest.raises(InputError, match="SHA-256"):
        fetch_dataset("new", tmp_path, mirror.url)
    mirror.content = CONTENT
    assert fetch_dataset("new", tmp_path, mirror.url).made == 1


def test_an_md5_is_checked_if_no_sha256_is_published(mirror, tmp_path):
    fetch_dataset("md5", tmp_path / "right", mirror.url)
    mirror.content = CONTENT[::-1]
    with pytest.raises(InputError, match="MD5"):
        fetch_dataset("md5", tmp_path / "wrong", mirror.url)


def test_a_refusal_of_the_server_is_reported(mirror, tmp_path):
    mirror.status = 404
    with pytest.raises(InputError, match=r"known.csv: the server responds 404 Not Found. Or download .* by hand to"):
        fetch_dataset("known", tmp_path, mirror.url)
    assert len(mirror.requests) == 1
    mirror.status = 503
    with pytest.raises(InputError, match="503"):
        fetch_dataset("known", tmp_path, mirror.url)
    assert len(mirror.requests) == 1 + module.MAX_ATTEMPTS, "a server that is busy is tried again"


def test_a_missing_network_is_reported_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match=r"http://127.0.0.1:9/known.csv: cannot be reached .*refused.* Or download"):
        fetch_dataset("known", tmp_path)


def test_unknown_data_sets_and_invalid_addresses_are_refused(tmp_path):
    with pytest.raises(InputError, match="zinc: unknown data set; available are qm9, esol, freesolv, tox21"):
        fetch_dataset("zinc", tmp_path)
    with pytest.raises(InputError, match="must begin with http"):
        fetch_dataset("esol", tmp_path, "file:///etc")


def test_every_published_file_has_a_checksum():
    for name in ("qm9", "esol", "freesolv", "tox21"):
        for file in DATASETS[name].files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) or re.fullmatch("[0-9a-f]{32}", file.md5)
            assert file.url.startswith("https://")
