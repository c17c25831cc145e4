"""Validation of a mass-map emulator: acceptance tests at held-out cosmologies, and the report."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.pipelines.acceptance.acceptance import Assessment, Tolerances, assess
from tenfold.pipelines.acceptance.estimates import estimates, load_estimator
from tenfold.pipelines.acceptance.held_out import HeldOut, held_out, matched, read_map_set
from tenfold.pipelines.acceptance.map_statistics import Statistic, statistics_for
from tenfold.pipelines.acceptance.report import Comparison, write_report
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.estimator.saliency import Saliency, alternate_groups, measure
from tenfold.pipelines.estimator.saliency_report import value_label, width_label
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_numbers
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.shards import Shards

MAX_TREND_MAPS = 2048
"""Largest number of training maps in the fit of each statistic's dependence on cosmology."""
MAPS_PER_CHUNK = 256
"""Number of maps read at once."""

METRICS_BY_BIN = ("deviation", "null_deviation", "usable", "scatter_ratio", "p_values")
"""Fields of `tenfold.stats.agreement.Agreement` that are written for every bin."""

N_EXPLAINED = 3
"""Number of maps, each of another cosmology, that are shown with the estimator's attributions."""


def validate_massmaps(
    run: Path,
    out: Path | None = None,
    *,
    tolerances: Tolerances | None = None,
    estimator: Path | None = None,
    unseen: Path | None = None,
    seed: int = 0,
) -> tuple[Path, Assessment]:
    """Run the acceptance tests on a trained emulator, with the test split of its data.

    Of maps with several source redshifts, one channel is tested: ``tolerances.channel``. Metrics and report state it.

    Parameters
    ----------
    run
        Folder of a completed training run.
    out
        Folder for ``metrics.json`` and ``report.html``. Default: the run folder, or with `unseen` its subfolder
        ``unseen``.
    tolerances
        Limits of the tests.
    estimator
        Folder of a trained estimator of maps. Its estimates on generated maps are then tested, too.
    unseen
        Shards of maps simulated later, all of which replace the test split.
    seed
        Seed of the generated maps.

    Returns
    -------
    Path
        Path of the report.
    Assessment
        Statistics and verdicts.

    Raises
    ------
    InputError
        The training is incomplete; its data are missing or have too few test cosmologies; `unseen` does not fit them
        or was trained on; or the estimator was trained on other data or estimates other parameters.
    """
    start = time.monotonic()
    tolerances = tolerances or Tolerances()
    run = Path(run)
    out = Path(out or (run / "unseen" if unseen else run))
    folder = RunFolder(run)
    record = folder.read_record("emulator")
    OutputFolder.claim(out, ("metrics.json", "report.html"))
    emulator = MassMapEmulator.load(run)
    with ExitStack() as opened:
        data = opened.enter_context(Shards.open(folder.find_data(record)))
        fresh = opened.enter_context(Shards.open(unseen)) if unseen else None
        if data.manifest.fingerprint != record["fingerprint"]:
            raise InputError(f"{record['data']}: is not the data that {run} was trained on. Train again on it.")
        names = tuple(emulator.ranges)
        estimator_model = load_estimator(estimator, data, names) if estimator else None
        begin = time.process_time()
        held = held_out(emulator, data, seed, fresh, channel=tolerances.channel, repeats=tolerances.repeats)
        generate_s = (time.process_time() - begin) / len(held.generated)
        trusted = (data if fresh is None else fresh).manifest.multipoles
        manifest = data.manifest
        channel = {"channels": manifest.shape[-1], "channel": tolerances.channel, "redshifts": list(manifest.redshifts)}
        periodic, unit = manifest.periodic, value_label(manifest)
        train = data.split("train")
        rng = np.random.default_rng(seed)
        trend_maps = np.sort(rng.permutation(train)[:MAX_TREND_MAPS])
        compared, training = matched(held, read_map_set(data, trend_maps, names, tolerances.channel))
        statistics = statistics_for(
            compared.simulated.maps, manifest.side_deg, box_mpc_h=manifest.box_mpc_h, periodic=periodic,
            unit=f"{unit}/σ" if names else unit,
        )  # fmt: skip
        assessment = assess(
            statistics, compared.simulated, compared.generated, tolerances, training=training,
            training_maps=_chunks(data, train, tolerances.channel), periodic=periodic,
        )  # fmt: skip
        estimated, verdicts = {}, {}
        if estimator_model:
            estimated, verdicts = estimates(estimator_model, held, names, tolerances)
        assessment = replace(assessment, verdicts={**assessment.verdicts, **verdicts})
        saliency = _saliency(estimator_model, held, data) if estimator_model else None
        metrics: dict[str, Any] = {
            "verdicts": assessment.metrics(),
            "passed": assessment.passed,
            "bins": {
                statistic.name: {
                    "centres": statistic.bins.tolist(),
                    **{name: getattr(assessment.agreements[statistic.name], name).tolist() for name in METRICS_BY_BIN},
                }
                for statistic in statistics
            },
            "held_out": {**channel, **_by_cosmology(statistics, assessment, compared, names)},
            "estimator": estimated,
            "saliency": saliency.metrics() if saliency else {},
            "speed": {"generated_cpu_s": generate_s, **_simulated_s(run.parent)},
            "environment": {
                "python": platform.python_version(), "platform": platform.platform(terse=True),
                "versions": record["versions"], "seed": record["seed"], "maps_seed": seed, "ranks": record["ranks"],
                "acceptance": vars(tolerances), "best_epoch": record["best_epoch"], "network": record["network"],
                "wall_s": _stages(run.parent) | {"training": record["wall_s"]}, "data": data.manifest.fingerprint,
                "unseen": fresh.manifest.fingerprint if fresh else None,
                "multipoles": trusted and [round(multipole) for multipole in trusted],
            },
        }  # fmt: skip
        comparison = Comparison(
            statistics=statistics, assessment=assessment, held=held, unit=unit, width=width_label(manifest),
            names=names, cosmologies=len(set(data.simulation(train))), maps=len(train), trusted=trusted,
            saliency=saliency,
        )  # fmt: skip
    metrics["environment"]["wall_s"]["validation"] = time.monotonic() - start
    with replacing(out / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_report(out / "report.html", metrics, comparison)
    return out / "report.html", assessment


def _by_cosmology(
    statistics: list[Statistic],
    assessment: Assessment,
    held: HeldOut,
    names: tuple[str, ...],
) -> dict[str, Any]:
    """Relative error of each statistic's mean at each test cosmology, median over the usable bins."""
    groups, parameters = held.simulated.groups, held.simulated.parameters
    assert groups is not None and parameters is not None
    summary: dict[str, Any] = {"outside_range": held.outside_range, "cosmologies": {}}
    for group in dict.fromkeys(groups.tolist()):
        selected = groups == group
        errors = {}
        for statistic in statistics:
            usable = assessment.agreements[statistic.name].usable
            if not usable.any():
                continue
            rows = assessment.rows[statistic.name]
            simulated, generated = (row[np.resize(selected, len(row))][:, usable].mean(0) for row in rows)
            scale = np.abs(simulated) if statistic.relative_to == "bin" else np.abs(simulated).max()
            errors[statistic.name] = float(np.median(np.abs(generated - simulated) / np.maximum(scale, 1e-300)))
        summary["cosmologies"][group] = {
            "parameters": dict(zip(names, parameters[selected][0].tolist(), strict=False)),
            "distance": float(held.distance[selected][0]), "maps": int(selected.sum()), "errors": errors,
        }  # fmt: skip
    return summary


def _chunks(data: Shards, records: np.ndarray, channel: int) -> Iterator[np.ndarray]:
    """Yield one channel of maps, shape (n, N, N), in chunks."""
    for start in range(0, len(records), MAPS_PER_CHUNK):
        yield data.read(records[start : start + MAPS_PER_CHUNK])[..., channel]


def _saliency(estimator: Estimator, held: HeldOut, data: Shards) -> Saliency:
    """Attributions of the estimates on a few simulated maps."""
    groups = held.simulated.groups
    assert groups is not None
    rows = alternate_groups(groups.tolist(), N_EXPLAINED)
    maps = held.simulated.maps[rows][..., None]
    return measure(estimator, maps, data.manifest.value.mean, periodic=data.manifest.periodic)


def _simulated_s(study: Path) -> dict[str, float]:
    """Wall time per simulated map [s], where the study recorded it."""
    seconds = _stages(study).get("simulate")
    maps = read_numbers(study / "maps.json").get("maps")
    return {} if seconds is None or maps is None else {"simulated_wall_s": seconds / max(1, maps)}


def _stages(study: Path) -> dict[str, float]:
    """Wall time of each stage of the study [s], where recorded."""
    return read_numbers(study / "stages.json")
