"""One more judge: what a network trained on simulated maps reads off generated ones, beside what they were made for."""

from typing import Any

import numpy as np

from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.massmaps.court import Court
from tenfold.pipelines.massmaps.held_out import HeldOut
from tenfold.stats.agreement import Verdict, halves, widening


def estimates(
    judge: Estimator, held: HeldOut, names: tuple[str, ...], court: Court
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
    court
        What is allowed.

    Returns
    -------
    dict
        By parameter: bias and rms error on maps of both kinds.
    dict
        By ``estimated_PARAMETER``: the verdict on the mean difference of the estimates, over the rms error on one
        simulated map.
    """
    parameters, groups = held.simulated.parameters, held.simulated.groups
    assert parameters is not None and groups is not None
    groups = np.unique(groups, return_inverse=True)[1]
    split = halves(groups, court.draws, np.random.default_rng(court.seed))
    wider = widening(groups, split, len(held.generated))
    said: dict[str, Any] = {}
    verdicts: dict[str, Verdict] = {}
    means = {what: judge.predict(maps[..., None])[0] for what, maps in (
        ("simulated", held.simulated.maps), ("generated", held.generated))}  # fmt: skip
    for p, name in enumerate(names):
        if name not in judge.names:
            continue
        error = {what: mean[:, judge.names.index(name)] - parameters[:, p] for what, mean in means.items()}
        said[name] = {
            f"{what}_{figure}": float(value)
            for what, each in error.items()
            for figure, value in (("bias", each.mean()), ("rmse", np.sqrt(np.mean(each**2))))
        }
        unit = said[name]["simulated_rmse"]
        null = [abs(error["simulated"][one].mean() - error["simulated"][~one].mean()) / unit / wider for one in split]
        value = abs(error["generated"].mean() - error["simulated"].mean()) / unit
        limit = float(np.quantile(null, 1 - court.significance))
        verdicts[f"estimated_{name}"] = Verdict(
            value=float(value), tolerance=court.estimate_tolerance, null=limit,
            passed=bool(value <= max(court.estimate_tolerance, limit)),
            said="mean difference of an estimator's readings, over its rms error on one simulated map",
        )  # fmt: skip
    return said, verdicts
