"""Saliency of a trained estimator on samples of its test split."""

from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.estimator.comparison import check_matching, read_predictions
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.estimator.saliency import Saliency, alternate_groups, measure
from tenfold.pipelines.estimator.saliency_report import saliency_section, value_label, width_label
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.reports.html import write_page
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.shards import Shards


def explain_estimator(
    run: Path, out: Path | None = None, *, count: int = 4, method: str = "integrated-gradients", seed: int = 0
) -> Path:
    """Write a page with attributions of an estimator's predictions, and their values to ``saliency.npz``.

    Parameters
    ----------
    run
        Folder of a finished training on boxes or maps.
    out
        Output folder; by default the folder of the run.
    count
        Number of samples of the test split: the first record of each simulation, then the second of each, and so on.
    method
        One of `tenfold.pipelines.estimator.saliency.METHODS`.
    seed
        Seed of the randomised weights, the noise and the shifts.

    Returns
    -------
    Path
        The page, ``saliency.html``.

    Raises
    ------
    InputError
        The run has not finished or is of another kind, or its shards are missing or have changed. Nothing is written.
    """
    folder = RunFolder(Path(run))
    record = folder.read_record("estimator")
    out = Path(out or run)
    estimator, predictions = Estimator.load(folder.path), read_predictions(folder)
    with Shards.open(folder.find_data(record)) as shards:
        check_matching(folder, shards, estimator.names, predictions)
        manifest = shards.manifest
        rows = alternate_groups(predictions["test_simulation"].tolist(), count)
        samples = shards.read(predictions["test_record"][rows])
    OutputFolder.claim(out, ("saliency.npz", "saliency.html"))
    saliency = measure(
        estimator, samples, manifest.value.mean, method=method, periodic=manifest.periodic, seed=seed
    )  # fmt: skip
    facts = {"record": predictions["test_record"], "simulation": predictions["test_simulation"],
             "true": predictions["test_true"]}  # fmt: skip
    _write_arrays(out / "saliency.npz", saliency, {name: values[rows] for name, values in facts.items()})
    titles = [f"{predictions['test_simulation'][row]}, record {predictions['test_record'][row]}" for row in rows]
    section = saliency_section(
        saliency, value_label(manifest), width_label(manifest), titles, predictions["test_true"][rows],
        logarithm=estimator.input_layer.transform == "log1p", trusted=manifest.multipoles,
    )  # fmt: skip
    page = out / "saliency.html"
    write_page(page, "saliency.html.j2", filters={}, run=folder.path.name, saliency=section)
    return page


def _write_arrays(path: Path, saliency: Saliency, facts: dict[str, np.ndarray]) -> None:
    """Write all arrays of a saliency, and the identity of its samples."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(saliency).items()}
    arrays |= {name: arrays[name].astype(np.float32) for name in ("fields", "attributions")}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays, **facts)
