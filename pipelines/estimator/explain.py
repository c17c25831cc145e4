"""What a trained estimator looks at, shown on samples of its test split."""

from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.estimator.comparison import check_belonging, read_predictions
from tenfold.pipelines.estimator.estimator import load
from tenfold.pipelines.estimator.saliency import Saliency, in_turn, measure
from tenfold.pipelines.estimator.saliency_report import Seen, seen, unit_of, width_of
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.reports.html import write_page
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.shards import Shards


def explain_estimator(
    run: Path, out: Path | None = None, *, count: int = 4, method: str = "integrated", seed: int = 0
) -> Path:
    """Draw what an estimator's answers rest on: a page, and its numbers in ``saliency.npz`` beside it.

    Parameters
    ----------
    run
        Folder of a finished training on boxes or on maps.
    out
        Folder to write to; the run's by default.
    count
        Samples of the test split: the first of each simulation in turn, then the second of each.
    method
        One of `tenfold.pipelines.estimator.saliency.METHODS`.
    seed
        Of the shuffled weights, the noise and the shifts.

    Returns
    -------
    Path
        The page, ``saliency.html``.

    Raises
    ------
    InputError
        The run has not finished, is of another kind, or its shards are gone or others; nothing is written then.
    """
    folder = RunFolder(Path(run))
    record = folder.read_record("estimator")
    out = Path(out or run)
    estimator, predictions = load(folder.path), read_predictions(folder)
    with Shards.open(folder.find_data(record)) as shards:
        check_belonging(folder, shards, estimator.names, predictions)
        manifest = shards.manifest
        rows = in_turn(predictions["test_simulation"].tolist(), count)
        samples = shards.read(predictions["test_record"][rows])
    OutputFolder.claim(out, ("saliency.npz", "saliency.html"))
    found = measure(
        estimator, samples, manifest.value.mean, method=method, periodic=manifest.periodic, seed=seed
    )  # fmt: skip
    facts = {"record": predictions["test_record"], "simulation": predictions["test_simulation"],
             "true": predictions["test_true"]}  # fmt: skip
    _write_numbers(out / "saliency.npz", found, {name: values[rows] for name, values in facts.items()})
    titles = [f"{predictions['test_simulation'][row]}, record {predictions['test_record'][row]}" for row in rows]
    shown: Seen = seen(
        found, unit_of(manifest), width_of(manifest), titles, predictions["test_true"][rows],
        logarithm=estimator.entrance.transform == "log1p", trusted=manifest.multipoles,
    )  # fmt: skip
    page = out / "saliency.html"
    write_page(page, "saliency.html.j2", filters={}, run=folder.path.name, seen=shown)
    return page


def _write_numbers(path: Path, saliency: Saliency, facts: dict[str, np.ndarray]) -> None:
    """Write every array of a saliency, and what it is of."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(saliency).items()}
    arrays |= {name: arrays[name].astype(np.float32) for name in ("fields", "attributions")}
    with replacing(path) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, allow_pickle=False, **arrays, **facts)
