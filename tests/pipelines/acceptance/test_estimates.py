"""An estimator that shrinks its readings to the mean, as trained ones do, still judges maps of many cosmologies."""

from types import SimpleNamespace

import numpy as np
import pytest

from tenfold.pipelines.acceptance.acceptance import MapSet, Tolerances
from tenfold.pipelines.acceptance.estimates import estimates
from tenfold.pipelines.acceptance.held_out import HeldOut

COSMOLOGIES, MAPS, NOISE = 9, 128, 0.05
PARAMETERS = np.repeat(np.random.default_rng(0).uniform(0.15, 0.45, (COSMOLOGIES, 1)), MAPS, axis=0)
GROUPS = np.repeat(np.arange(COSMOLOGIES), MAPS)


def judged(bias: float, seed: int, contrast: float = 0.5):
    """Maps of one pixel, which is Ωm with noise; generated ones are off by `bias`. Read with so much contrast."""
    rng = np.random.default_rng(seed)
    boxes = 0.2 * NOISE * rng.standard_normal(COSMOLOGIES)[GROUPS]

    def maps(values):
        return (values + NOISE * rng.standard_normal(len(GROUPS)))[:, None, None]

    skies = MapSet(maps=maps(PARAMETERS[:, 0] + boxes), groups=GROUPS, parameters=PARAMETERS)
    held = HeldOut(simulated=skies, generated=maps(PARAMETERS[:, 0] + bias), distance=np.ones(len(GROUPS)), left_out=0)
    judge = SimpleNamespace(names=("omega_m",), predict=lambda maps: (0.3 + contrast * (maps[:, 0, 0] - 0.3), None))
    _, verdicts = estimates(judge, held, ("omega_m",), Tolerances())  # type: ignore[arg-type]
    return verdicts["estimated_omega_m"]


@pytest.mark.parametrize("seed", range(5))
def test_maps_that_read_right_are_let_go_and_biased_ones_are_not(seed):
    right, wrong = judged(0.0, seed), judged(0.04, seed)
    assert right.passed
    assert right.null < 0.2
    assert not wrong.passed


@pytest.mark.parametrize("contrast", [0.0, -0.5])
def test_an_estimator_that_has_learnt_nothing_judges_nothing(contrast):
    verdict = judged(0.0, 1, contrast)
    assert np.isnan(verdict.value)
    assert not verdict.passed


def test_the_null_is_what_chance_leaves_of_the_mean():
    above = [verdict.value > verdict.null for verdict in (judged(0.0, seed) for seed in range(300))]
    assert sum(above) <= 9  # three are expected, at the hundredth
