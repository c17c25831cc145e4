"""Simulate, ingest, label and predict on two workers, one killed in mid-work: the same bytes as in one process."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.formats.cosmoflow import write_raw
from tests.formats.dask_processes import dask_processes, kill_a_worker
from tests.formats.molecules import CONFIG, SMILES, write_table

from tenfold.emulators.mpnn import MPNN
from tenfold.hpc.engine import EngineError
from tenfold.pipelines import (
    Ingest,
    Labelling,
    Simulation,
    ingest_molecules,
    ingest_volumes,
    label_molecules,
    predict_molecules,
    simulate_volumes,
)
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.predictor.config import PredictorConfig, Target
from tenfold.pipelines.predictor.predictor import MoleculePredictor

pytestmark = pytest.mark.slow
RECORD = ".tenfold.json"


@pytest.fixture(scope="module")
def dask(tmp_path_factory) -> Iterator[str]:
    with dask_processes(tmp_path_factory.mktemp("dask"), workers=2) as started:
        yield str(started.file)


def contents(folder: Path) -> dict[str, bytes]:
    """Content of all files but logs, which hold run times."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "log"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def compare(run: Callable[[str, Path], object], tmp_path: Path, dask: str) -> dict[str, bytes]:
    """Run here and on workers, of which one is killed, and compare all files; return them."""
    here, there = tmp_path / "here", tmp_path / "there"
    run("", here)
    there.mkdir()
    with kill_a_worker(there) as killing:
        run(dask, there)
    assert killing.tasks, "the task of the killed worker was begun again"
    assert contents(there) == contents(here)
    assert not [file for file in there.iterdir() if file.name.startswith(".") and file.name != RECORD]
    return contents(here)


def test_simulated_boxes(dask, tmp_path):
    ranges = {"sigma_8": (0.6, 1.0)}
    config = Simulation(count=4, particles=32, grid=16, box_mpc_h=32.0, steps=8, ranges=ranges, processes=1)
    made = compare(lambda where, out: simulate_volumes(replace(config, dask=where), out), tmp_path, dask)
    assert len(made) == 4 + len([RECORD])


def test_shards_of_volumes(dask, tmp_path):
    (tmp_path / "boxes").mkdir()
    for n in range(6):
        write_raw(tmp_path / "boxes" / f"{n}.h5", n)
    (tmp_path / "boxes" / "5.h5").write_bytes(b"damaged")
    config = Ingest(processes=1, patches_per_side=2, records_per_shard=16, rejected_threshold=0.5)
    boxes = [tmp_path / "boxes"]
    made = compare(lambda where, out: ingest_volumes(boxes, out, replace(config, dask=where)), tmp_path, dask)
    assert b"5.h5" in made["rejected.csv"]
    assert "shard_00002.h5" in made


def test_shards_of_molecules(dask, tmp_path):
    table = write_table(tmp_path / "m.csv")
    config = replace(CONFIG, records_per_shard=8)
    made = compare(lambda where, out: ingest_molecules([table], out, replace(config, dask=where)), tmp_path, dask)
    assert "molecules_00002.h5" in made


def test_labels(dask, tmp_path):
    config = Labelling(count=6, seed=5, kind="qm9", molecules_per_file=2, processes=1)
    made = compare(lambda where, out: label_molecules(replace(config, dask=where), out), tmp_path, dask)
    assert "structures/molecules_00002.xyz" in made


def test_predictions(dask, tmp_path):
    architecture = MPNN(network="dmpnn", hidden=16, depth=2, dense_units=(8,))
    targets = (Target(name="logp", unit=""),)
    config = PredictorConfig(architecture=architecture, featuriser=Featuriser(), kind="regression", targets=targets)
    bundle = tmp_path / "bundle.tenfold"
    MoleculePredictor(config.network(seed=1), config).bundle({}, "").write(bundle)
    table = tmp_path / "m.csv"
    table.write_text("\n".join(["smiles", *SMILES * 25, "nonsense", *SMILES]))  # two blocks

    def predict(where: str, out: Path) -> None:
        out.mkdir(exist_ok=True)
        predict_molecules(bundle, table, out / "predicted.csv", dask=where)

    (predicted,) = compare(predict, tmp_path, dask).values()
    assert predicted.count(b"\n") == 1 + 26 * len(SMILES) + 1
    predict_molecules(bundle, table, tmp_path / "two.csv", processes=2)
    assert (tmp_path / "two.csv").read_bytes() == predicted


def test_nothing_is_written_where_no_scheduler_answers(tmp_path):
    nowhere = "tcp://127.0.0.1:1"
    table = write_table(tmp_path / "m.csv")
    write_raw(tmp_path / "0.h5", 0)
    for run in (
        lambda out: simulate_volumes(Simulation(count=1, ranges={"sigma_8": (0.6, 1.0)}, dask=nowhere), out),
        lambda out: ingest_volumes([tmp_path / "0.h5"], out, Ingest(dask=nowhere)),
        lambda out: ingest_molecules([table], out, replace(CONFIG, dask=nowhere)),
        lambda out: label_molecules(Labelling(count=2, dask=nowhere), out),
    ):
        out = tmp_path / "out"
        with pytest.raises(EngineError, match="no scheduler answers within 15 s"):
            run(out)
        assert not [file.name for file in out.rglob("*") if file.name != RECORD]
