"""Folders of small boxes, and what an ingest made of them."""

import csv
from pathlib import Path

import numpy as np
from tests.formats.cosmoflow import write_raw

from tenfold.pipelines.volumes.ingest import Ingest
from tenfold.pipelines.volumes.shards import Shards

HERE = Ingest(processes=1, records_per_shard=32)


def boxes(folder: Path, count: int, **changes) -> list[np.ndarray]:
    folder.mkdir(exist_ok=True)
    return [write_raw(folder / f"{n:03d}.h5", n, **changes) for n in range(count)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def records_of(folder: Path) -> dict[str, np.ndarray]:
    """All records of each simulation."""
    with Shards.open(folder) as shards:
        names = shards.simulation(np.arange(len(shards)))
        return {name: shards.read(np.flatnonzero(names == name)) for name in np.unique(names)}


def rejected(folder: Path) -> dict[str, tuple[str, str]]:
    with (folder / "rejected.csv").open(newline="") as opened:
        return {Path(line["file"]).name: (line["key"], line["reason"]) for line in csv.DictReader(opened)}
