"""One more judge: what a network trained on simulated maps reads off generated ones, beside what they were made for."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from tenfold.pipelines.acceptance.acceptance import Tolerances
from tenfold.pipelines.acceptance.held_out import HeldOut
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.agreement import Verdict


def load_estimator(run: Path, data: Shards, names: tuple[str, ...]) -> Estimator:
    """Load an estimator that can judge an emulator.

    Parameters
    ----------
    run
        Folder of the estimator's training.
    data
        What the emulator was trained on.
    names
        Parameters that the emulator takes.

    Raises
    ------
    InputError
        It was trained on other data, and so perhaps on what the emulator left out; it reads none of the parameters;
        or the maps are of several source redshifts.
    """
    judge, trained = Estimator.load(run, batch_size=32), RunFolder(run).read_record("estimator").get("fingerprint")
    if trained != data.manifest.fingerprint:
        raise InputError(
            f"{run}: was not trained on {data.path}, as the emulator was, and may know what the emulator left out: "
            f"`tenfold train estimator {data.path} --study massmaps`"
        )
    if not set(names) & set(judge.names):
        raise InputError(
            f"{run}: reads {', '.join(judge.names)}, the emulator takes {', '.join(names) or 'no parameters'}"
        )
    if data.manifest.shape[-1] > 1:
        raise InputError(
            f"{run}: reads {data.manifest.shape[-1]} source redshifts at once, and maps of one at a time are judged: "
            "leave out --estimator"
        )
    return judge


def estimates(
    judge: Estimator, held: HeldOut, names: tuple[str, ...], tolerances: Tolerances
) -> tuple[dict[str, Any], dict[str, Verdict]]:  # fmt: skip
    """Estimate the parameters of simulated and of generated maps.

    Parameters
    ----------
    judge
        Trained estimator of maps.
    held
        Maps of both kinds.
    names
        Parameters that maps were made for.
    tolerances
        What is allowed.

    Returns
    -------
    dict
        By parameter: bias and rms error on maps of both kinds, and the rms error of who answers with the mean.
    dict
        By ``estimated_PARAMETER``: the verdict on the mean difference of the estimates, over the rms error on one
        simulated map. Both kinds are of the same cosmologies, so what the estimator gets wrong there cancels; the
        null is how far from zero the scatter from simulation to simulation leaves the mean (Student's t). An estimator
        that reads simulated maps no better than who answers with their mean judges nothing: its verdict is NaN, and
        undecided.
    """
    parameters, groups = held.simulated.parameters, held.simulated.groups
    assert parameters is not None and groups is not None
    number = np.unique(groups, return_inverse=True)[1]
    count = number.max() + 1
    quantile = float(student.ppf(1 - tolerances.significance / 2, count - 1))
    said: dict[str, Any] = {}
    verdicts: dict[str, Verdict] = {}
    means = {what: judge.predict(maps[..., None])[0] for what, maps in (
        ("simulated", held.simulated.maps), ("generated", held.generated))}  # fmt: skip
    for p, name in enumerate(names):
        if name not in judge.names:
            continue
        error = {
            what: mean[:, judge.names.index(name)].reshape(-1, len(parameters)) - parameters[:, p]
            for what, mean in means.items()
        }
        said[name] = {
            f"{what}_{figure}": float(value)
            for what, each in error.items()
            for figure, value in (("bias", each.mean()), ("rmse", np.sqrt(np.mean(each**2))))
        }
        said[name]["guessing_rmse"] = float(parameters[:, p].std())
        if said[name]["simulated_rmse"] >= said[name]["guessing_rmse"]:
            verdicts[f"estimated_{name}"] = Verdict(
                value=np.nan, tolerance=tolerances.estimate_tolerance, null=np.nan, passed=False,
                said="nothing: this estimator reads simulated maps no better than who answers with their mean",
            )  # fmt: skip
            continue
        unit = said[name]["simulated_rmse"]
        more = (error["generated"].mean(0) - error["simulated"][0]) / unit
        each = np.bincount(number, more) / np.bincount(number)
        value, limit = abs(each.mean()), float(quantile * each.std(ddof=1) / np.sqrt(count))
        verdicts[f"estimated_{name}"] = Verdict(
            value=float(value), tolerance=tolerances.estimate_tolerance, null=limit,
            passed=bool(value <= max(tolerances.estimate_tolerance, limit)),
            said="mean difference of an estimator's readings, over its rms error on one simulated map",
            margin=tolerances.seed_margin,
        )  # fmt: skip
    return said, verdicts
