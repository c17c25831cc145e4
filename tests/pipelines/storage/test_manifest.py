"""Folders of shards of earlier versions are read, or refused with an explanation."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.formats.ingested import HERE, boxes

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.manifest import MANIFEST
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards


@pytest.fixture
def former(tmp_path):
    """A folder as version 1 of the format has it: rejected files are called quarantined."""
    boxes(tmp_path / "boxes", 12)
    (tmp_path / "boxes" / "003.h5").write_bytes(b"")
    out = tmp_path / "data"
    ingest_volumes([tmp_path / "boxes"], out, replace(HERE, rejected_threshold=0.5))
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["quarantined"] = manifest.pop("rejected")
    (out / MANIFEST).write_text(json.dumps({**manifest, "version": 1}))
    (out / "rejected.csv").rename(out / "quarantine.csv")
    (out / ".tenfold.json").unlink()
    return out


def test_shards_of_version_1_are_read(former):
    with Shards.open(former) as shards:
        assert np.isfinite(shards.read(np.arange(len(shards)))).all()
        (rejected,) = shards.manifest.rejected
    assert rejected.source.endswith("003.h5")
    assert rejected.reason == "empty file"


def test_a_folder_of_version_1_is_not_ingested_anew(former):
    summary = ingest_volumes([former.parent / "boxes"], former, replace(HERE, rejected_threshold=0.5))
    assert (summary.new_shards, len(summary.rejected)) == (0, 1)


def test_a_later_version_is_refused(former):
    manifest = json.loads((former / MANIFEST).read_text())
    (former / MANIFEST).write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(InputError, match=r"format version 99, and this version of tenfold reads 3. Ingest again"):
        Manifest.read(former / MANIFEST)
