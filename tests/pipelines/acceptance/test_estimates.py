"""Estimates that are shrunk towards the mean, as trained estimators do, still test maps of many cosmologies."""

from types import SimpleNamespace

import numpy as np
import pytest

from tenfold.pipelines.acceptance.acceptance import MapSet, Tolerances
from tenfold.pipelines.acceptance.estimates import estimates
from tenfold.pipelines.acceptance.held_out import HeldOut

COSMOLOGIES, MAPS, NOISE = 9, 128, 0.05
PARAMETERS = np.repeat(np.random.default_rng(0).uniform(0.15, 0.45, (COSMOLOGIES, 1)), MAPS, axis=0)
GROUPS = np.repeat(np.arange(COSMOLOGIES), MAPS)


def estimate_verdict(bias: float, seed: int, contrast: float = 0.5):
    """Verdict on maps of one pixel, Ωm plus noise, generated with a bias; the estimator has slope `contrast`."""
    rng = np.random.default_rng(seed)
    boxes = 0.2 * NOISE * rng.standard_normal(COSMOLOGIES)[GROUPS]

    def maps(values):
        return (values + NOISE * rng.standard_normal(len(GROUPS)))[:, None, None]

    simulated = MapSet(maps=maps(PARAMETERS[:, 0] + boxes), groups=GROUPS, parameters=PARAMETERS)
    held = HeldOut(
        simulated=simulated, generated=maps(PARAMETERS[:, 0] + bias), distance=np.ones(len(GROUPS)), outside_range=0
    )
    estimator = SimpleNamespace(names=("omega_m",), predict=lambda maps: (0.3 + contrast * (maps[:, 0, 0] - 0.3), None))
    _, verdicts = estimates(estimator, held, ("omega_m",), Tolerances())  # type: ignore[arg-type]
    return verdicts["estimated_omega_m"]


@pytest.mark.parametrize("seed", range(5))
def test_unbiased_maps_pass_and_biased_maps_do_not(seed):
    unbiased, biased = estimate_verdict(0.0, seed), estimate_verdict(0.04, seed)
    assert unbiased.passed
    assert unbiased.null < 0.2
    assert not biased.passed


@pytest.mark.parametrize("contrast", [0.0, -0.5])
def test_an_uninformative_estimator_gives_no_verdict(contrast):
    verdict = estimate_verdict(0.0, 1, contrast)
    assert np.isnan(verdict.value)
    assert not verdict.passed


def test_the_null_is_exceeded_as_often_as_its_significance_states():
    above = [verdict.value > verdict.null for verdict in (estimate_verdict(0.0, seed) for seed in range(300))]
    assert sum(above) <= 9  # three are expected, at the hundredth
