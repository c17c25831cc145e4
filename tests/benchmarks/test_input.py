"""Read rates: random records of shards against sequential reads with h5py, and tf.data from shards against memory.

Files are in the page cache, as after the first epoch. The fastest of interleaved rounds counts, because other work on
the machine can only slow a round down.
"""

import time

import h5py
import numpy as np
import pytest
import tensorflow as tf
from tests.formats.plain import write_table

from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

SIDE, RECORDS, BATCH, ROUNDS = 64, 192, 8, 9
"""201 MB of 64³ float32."""

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same records as shards, compressed shards, and one contiguous dataset."""
    folder = tmp_path_factory.mktemp("input")
    (folder / "boxes").mkdir()
    rng, rows = np.random.default_rng(0), []
    records = rng.lognormal(size=(RECORDS, SIDE, SIDE, SIDE, 1)).astype(np.float32)
    for n, record in enumerate(records):
        np.save(folder / "boxes" / f"{n:03d}.npy", record)
        rows.append({"file": f"{n:03d}.npy", "Omega_m": 0.1 + n / 1000, "sigma_8": 0.8})
    table = write_table(folder / "table.csv", rows)
    for compression in ("none", "blosc-lz4"):
        start, wall = time.process_time(), time.perf_counter()
        config = Ingest(table=str(table), compression=compression, records_per_shard=64, processes=1)
        ingest_volumes([folder / "boxes"], folder / compression, config)
        wall, start = time.perf_counter() - wall, time.process_time() - start
        size = sum(file.stat().st_size for file in (folder / compression).glob("*.h5"))
        summary = f"{records.nbytes / start / 1e6:,.0f} MB per CPU second, {size / records.nbytes:.2f} of the size"
        print(f"\ningest, {compression}: {summary}, {wall:.1f} s")
    with h5py.File(folder / "contiguous.h5", "w") as file:
        file["records"] = records
    return folder


def rates(readers: dict, clock=time.process_time) -> dict[str, float]:
    """Return the best rate of each reader over interleaved rounds [MB/s]."""
    best = dict.fromkeys(readers, np.inf)
    for _ in range(ROUNDS):
        for name, read in readers.items():
            start = clock()
            read()
            best[name] = min(best[name], clock() - start)
    best_rates = {name: RECORDS * SIDE**3 * 4 / seconds / 1e6 for name, seconds in best.items()}
    for name, rate in best_rates.items():
        print(f"{name:58s} {rate:8,.0f} MB/s")
    return best_rates


def test_random_reads_of_shards_are_nearly_as_fast_as_sequential_reads_with_h5py(folder):
    order = np.random.default_rng(1).permutation(RECORDS).reshape(-1, BATCH)
    contiguous = h5py.File(folder / "contiguous.h5", "r")["records"]
    once = Shards.open(folder / "none")
    out = once.read(np.arange(BATCH))
    compressed = Shards.open(folder / "blosc-lz4")

    def sequentially() -> None:
        for start in range(0, RECORDS, BATCH):
            contiguous.read_direct(out, np.s_[start : start + BATCH])

    def at_random(shards: Shards) -> None:
        for indices in order:
            shards.read(indices, out)

    def reopened(verify: bool) -> None:
        with Shards.open(folder / "none", verify=verify) as shards:
            at_random(shards)

    def into_new_arrays() -> None:
        for indices in order:
            once.read(indices)

    best_rates = rates({
        "memcpy": lambda: [np.copyto(out, batch) for batch in np.broadcast_to(out, (RECORDS // BATCH, *out.shape))],
        "h5py, contiguous, sequential": sequentially,
        "shards, at random": lambda: at_random(once),
        "shards, at random, into new arrays": into_new_arrays,
        "shards, at random, reopened, every CRC32 checked": lambda: reopened(True),
        "shards, at random, reopened, unchecked": lambda: reopened(False),
        "shards, at random, blosc-lz4": lambda: at_random(compressed),
    })  # fmt: skip
    ratio = best_rates["shards, at random"] / best_rates["h5py, contiguous, sequential"]
    print(f"shards at random / h5py, sequential: {ratio:.2f} (at least 0.85 required)")
    assert ratio >= 0.85


def test_tf_data_reads_shards_nearly_as_fast_as_memory(folder):
    shards = Shards.open(folder / "none")
    records = shards.read(np.arange(RECORDS))
    order = np.random.default_rng(1).permutation(RECORDS).astype(np.int64).reshape(-1, BATCH)
    shape = (BATCH, SIDE, SIDE, SIDE, 1)

    def slices() -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(records).batch(BATCH, drop_remainder=True).prefetch(2)

    def whole_batches() -> tf.data.Dataset:
        def read(indices: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(shards.read, [indices], tf.float32, stateful=False), shape)

        return tf.data.Dataset.from_tensor_slices(order).map(read).prefetch(2)

    def drain(dataset: tf.data.Dataset) -> None:
        for _ in dataset:
            pass

    in_memory, from_shards = slices(), whole_batches()
    readers = {"tf.data, slices of memory": lambda: drain(in_memory), "tf.data, shards": lambda: drain(from_shards)}
    best_rates = rates(readers)
    ratio = best_rates["tf.data, shards"] / best_rates["tf.data, slices of memory"]
    print(f"shards / memory into tf.data: {ratio:.2f} (at least 0.75 required)")
    assert ratio >= 0.75
