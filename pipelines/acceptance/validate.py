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
from tenfold.pipelines.acceptance.report import Trial, write_report
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

TRAINED = 2048
"""Training maps that tell how statistics change with cosmology, at most; copies are looked for among all."""
PART = 256
"""Maps read at once."""

BY_BIN = ("deviation", "null_deviation", "usable", "spread", "p_values")
"""What is written of every bin: fields of `tenfold.stats.agreement.Agreement`."""

LOOKED = 3
"""Maps, each of another cosmology, that are shown with what the estimator looks at."""


def validate_massmaps(
    run: Path,
    out: Path | None = None,
    *,
    tolerances: Tolerances | None = None,
    estimator: Path | None = None,
    unseen: Path | None = None,
    seed: int = 0,
) -> tuple[Path, Assessment]:
    """Judge the maps of a trained emulator against the test split of its data.

    Of maps of several source redshifts the tolerances's channel is judged; metrics and page say which.

    Parameters
    ----------
    run
        Folder of a finished training.
    out
        Folder for ``metrics.json`` and ``report.html``; by default the run's, or with `unseen` one in it.
    tolerances
        What is allowed.
    estimator
        Folder of a trained estimator of maps: one more judge, whose estimates of generated maps must match what they
        were made for.
    unseen
        Shards of maps that were simulated since: all of them judge, in place of the test split.
    seed
        Of the generated maps.

    Returns
    -------
    Path
        The report.
    Assessment
        The verdicts.

    Raises
    ------
    InputError
        The training has not finished, its data are gone, or hold too few test cosmologies; `unseen` does not fit
        them, or was trained on; the estimator was trained on other data, or reads something else.
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
            raise InputError(f"{record['data']}: is not what {run} was trained on. Train again on it.")
        names = tuple(emulator.ranges)
        reader = load_estimator(estimator, data, names) if estimator else None
        begin = time.process_time()
        held = held_out(emulator, data, seed, fresh, channel=tolerances.channel, repeats=tolerances.repeats)
        generate_s = (time.process_time() - begin) / len(held.generated)
        trusted = (data if fresh is None else fresh).manifest.multipoles
        about = data.manifest
        source = {"channels": about.shape[-1], "channel": tolerances.channel, "redshifts": list(about.redshifts)}
        periodic, unit = about.periodic, value_label(about)
        train = data.split("train")
        rng = np.random.default_rng(seed)
        few = np.sort(rng.permutation(train)[:TRAINED])
        compared, learnt = matched(held, read_map_set(data, few, names, tolerances.channel))
        statistics = statistics_for(
            compared.simulated.maps, about.side_deg, box_mpc_h=about.box_mpc_h, periodic=periodic,
            unit=f"{unit}/σ" if names else unit,
        )  # fmt: skip
        assessment = assess(
            statistics, compared.simulated, compared.generated, tolerances, training=learnt,
            learnt=_in_parts(data, train, tolerances.channel), periodic=periodic,
        )  # fmt: skip
        read, verdicts = estimates(reader, held, names, tolerances) if reader else ({}, {})
        assessment = replace(assessment, verdicts={**assessment.verdicts, **verdicts})
        looks = _looked(reader, held, data) if reader else None
        metrics: dict[str, Any] = {
            "verdicts": assessment.metrics(),
            "passed": assessment.passed,
            "bins": {
                each.name: {
                    "at": each.bins.tolist(),
                    **{name: getattr(assessment.agreements[each.name], name).tolist() for name in BY_BIN},
                }
                for each in statistics
            },
            "held_out": {**source, **_by_cosmology(statistics, assessment, compared, names)},
            "estimator": read,
            "saliency": looks.metrics() if looks else {},
            "speed": {"generated_cpu_s": generate_s, **_simulated_s(run.parent)},
            "environment": {
                "python": platform.python_version(), "platform": platform.platform(terse=True),
                "versions": record["versions"], "seed": record["seed"], "maps_seed": seed, "ranks": record["ranks"],
                "acceptance": vars(tolerances), "best_epoch": record["best_epoch"], "network": record["network"],
                "wall_s": _stages(run.parent) | {"training": record["wall_s"]}, "data": data.manifest.fingerprint,
                "unseen": fresh.manifest.fingerprint if fresh else None,
                "multipoles": trusted and [round(each) for each in trusted],
            },
        }  # fmt: skip
        trial = Trial(
            statistics=statistics, assessment=assessment, held=held, unit=unit, width=width_label(about), names=names,
            cosmologies=len(set(data.simulation(train))), maps=len(train), trusted=trusted,
            saliency=looks,
        )  # fmt: skip
    metrics["environment"]["wall_s"]["validation"] = time.monotonic() - start
    with replacing(out / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_report(out / "report.html", metrics, trial)
    return out / "report.html", assessment


def _by_cosmology(
    statistics: list[Statistic],
    assessment: Assessment,
    held: HeldOut,
    names: tuple[str, ...],
) -> dict[str, Any]:
    """How far the means are at each test cosmology: median over the usable bins."""
    groups, parameters = held.simulated.groups, held.simulated.parameters
    assert groups is not None and parameters is not None
    found: dict[str, Any] = {"left_out": held.left_out, "cosmologies": {}}
    for group in dict.fromkeys(groups.tolist()):
        mine = groups == group
        errors = {}
        for each in statistics:
            usable = assessment.agreements[each.name].usable
            if not usable.any():
                continue
            rows = assessment.rows[each.name]
            simulated, generated = (row[np.resize(mine, len(row))][:, usable].mean(0) for row in rows)
            scale = np.abs(simulated) if each.relative_to == "bin" else np.abs(simulated).max()
            errors[each.name] = float(np.median(np.abs(generated - simulated) / np.maximum(scale, 1e-300)))
        found["cosmologies"][group] = {
            "parameters": dict(zip(names, parameters[mine][0].tolist(), strict=False)),
            "distance": float(held.distance[mine][0]), "maps": int(mine.sum()), "errors": errors,
        }  # fmt: skip
    return found


def _in_parts(data: Shards, records: np.ndarray, channel: int) -> Iterator[np.ndarray]:
    for first in range(0, len(records), PART):
        yield data.read(records[first : first + PART])[..., channel]


def _looked(judge: Estimator, held: HeldOut, data: Shards) -> Saliency:
    """What the estimates of a few simulated maps rest on."""
    groups = held.simulated.groups
    assert groups is not None
    rows = alternate_groups(groups.tolist(), LOOKED)
    maps = held.simulated.maps[rows][..., None]
    return measure(judge, maps, data.manifest.value.mean, periodic=data.manifest.periodic)


def _simulated_s(study: Path) -> dict[str, float]:
    """Wall seconds that one simulated map took, where a study says."""
    seconds = _stages(study).get("simulate")
    maps = read_numbers(study / "maps.json").get("maps")
    return {} if seconds is None or maps is None else {"simulated_wall_s": seconds / max(1, maps)}


def _stages(study: Path) -> dict[str, float]:
    return read_numbers(study / "stages.json")
