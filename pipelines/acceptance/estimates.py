"""Parameter estimates as an acceptance test: an independent estimator applied to generated and simulated maps."""

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
    """Load an estimator that can test an emulator.

    Parameters
    ----------
    run
        Folder of the estimator's training.
    data
        Data that the emulator was trained on.
    names
        Parameters that the emulator takes.

    Returns
    -------
    Estimator
        The trained estimator.

    Raises
    ------
    InputError
        The estimator was trained on other data, and so perhaps on the emulator's test split; it estimates none of the
        parameters; or the maps are of several source redshifts.
    """
    estimator = Estimator.load(run, batch_size=32)
    fingerprint = RunFolder(run).read_record("estimator").get("fingerprint")
    if fingerprint != data.manifest.fingerprint:
        raise InputError(
            f"{run}: was not trained on {data.path}, the emulator's data, and may have seen the emulator's test split. "
            f"Train it with `tenfold train estimator {data.path} --study massmaps`"
        )
    if not set(names) & set(estimator.names):
        raise InputError(
            f"{run}: estimates {', '.join(estimator.names)}, but the emulator takes "
            f"{', '.join(names) or 'no parameters'}"
        )
    if data.manifest.shape[-1] > 1:
        raise InputError(
            f"{run}: takes {data.manifest.shape[-1]} source redshifts at once, but maps are tested one source redshift "
            "at a time. Leave out --estimator"
        )
    return estimator


def estimates(
    estimator: Estimator, held: HeldOut, names: tuple[str, ...], tolerances: Tolerances
) -> tuple[dict[str, Any], dict[str, Verdict]]:  # fmt: skip
    """Estimate the parameters of simulated and of generated maps, and compare the two.

    Both kinds of maps have the same cosmologies, so the estimator's own bias cancels in the difference. The null is
    the scatter of the mean difference between simulations (Student's t). An estimator whose rms error on simulated
    maps is no smaller than that of predicting the mean gives no evidence: its verdict is NaN, and undecided.

    Parameters
    ----------
    estimator
        Trained estimator of maps.
    held
        Simulated and generated maps.
    names
        Parameters that the emulator takes.
    tolerances
        Limits of the tests.

    Returns
    -------
    dict
        By parameter: bias and rms error on maps of both kinds, and the rms error of predicting the mean.
    dict
        By ``estimated_PARAMETER``: verdict on the mean difference of the estimates, in units of the rms error on one
        simulated map.
    """
    parameters, groups = held.simulated.parameters, held.simulated.groups
    assert parameters is not None and groups is not None
    index = np.unique(groups, return_inverse=True)[1]
    count = index.max() + 1
    quantile = float(student.ppf(1 - tolerances.significance / 2, count - 1))
    summary: dict[str, Any] = {}
    verdicts: dict[str, Verdict] = {}
    means = {kind: estimator.predict(maps[..., None])[0] for kind, maps in (
        ("simulated", held.simulated.maps), ("generated", held.generated))}  # fmt: skip
    for p, name in enumerate(names):
        if name not in estimator.names:
            continue
        error = {
            kind: mean[:, estimator.names.index(name)].reshape(-1, len(parameters)) - parameters[:, p]
            for kind, mean in means.items()
        }
        summary[name] = {
            f"{kind}_{figure}": float(value)
            for kind, errors in error.items()
            for figure, value in (("bias", errors.mean()), ("rmse", np.sqrt(np.mean(errors**2))))
        }
        summary[name]["mean_prediction_rmse"] = float(parameters[:, p].std())
        if summary[name]["simulated_rmse"] >= summary[name]["mean_prediction_rmse"]:
            verdicts[f"estimated_{name}"] = Verdict(
                value=np.nan, tolerance=tolerances.estimate_tolerance, null=np.nan, passed=False,
                description="not tested: the estimator does no better on simulated maps than predicting their mean",
            )  # fmt: skip
            continue
        unit = summary[name]["simulated_rmse"]
        difference = (error["generated"].mean(0) - error["simulated"][0]) / unit
        by_simulation = np.bincount(index, difference) / np.bincount(index)
        value = abs(by_simulation.mean())
        limit = float(quantile * by_simulation.std(ddof=1) / np.sqrt(count))
        verdicts[f"estimated_{name}"] = Verdict(
            value=float(value), tolerance=tolerances.estimate_tolerance, null=limit,
            passed=bool(value <= max(tolerances.estimate_tolerance, limit)),
            description="mean difference of the estimates, in units of the rms error on one simulated map",
            margin=tolerances.seed_margin,
        )  # fmt: skip
    return summary, verdicts
