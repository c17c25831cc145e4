"""Maps of many cosmologies made alike, and an estimator as one more judge."""

from types import SimpleNamespace

import numpy as np
import pytest

from tenfold.pipelines.acceptance.acceptance import MapSet, Tolerances, assess
from tenfold.pipelines.acceptance.estimates import estimates
from tenfold.pipelines.acceptance.held_out import HeldOut, matched
from tenfold.pipelines.acceptance.map_statistics import Statistic

COSMOLOGIES, MAPS, SIDE = 24, 30, 8


def skies(seed: int) -> MapSet:
    """White maps whose spread grows as exp(p), p from -1 to 1."""
    rng = np.random.default_rng(seed)
    points = np.repeat(np.linspace(-1, 1, COSMOLOGIES), MAPS)[:, None]
    maps = np.exp(points)[:, None] * rng.standard_normal((COSMOLOGIES * MAPS, SIDE, SIDE))
    return MapSet(maps=maps.astype(np.float32), groups=np.repeat(np.arange(COSMOLOGIES), MAPS), parameters=points)


def held(generated: np.ndarray, seed: int = 1) -> HeldOut:
    return HeldOut(simulated=skies(seed), generated=generated, distance=np.zeros(COSMOLOGIES * MAPS), left_out=0)


def test_over_the_spread_of_their_cosmology_all_maps_are_alike_and_an_excess_of_generated_ones_stays():
    compared, learnt = matched(held(1.2 * skies(2).maps), skies(3))
    for maps, spread in ((compared.simulated.maps, 1.0), (learnt.maps, 1.0), (compared.generated, 1.2)):
        each = maps.reshape(COSMOLOGIES, -1).std(axis=1)
        np.testing.assert_allclose(each, spread, rtol=0.06)


@pytest.mark.parametrize("relative_to", ["bin", "largest"])
def test_of_several_generated_maps_for_each_simulated_one_each_is_judged_by_its_own_cosmology(relative_to):
    simulated, learnt, repeats = skies(1), skies(3), 3
    strength = Statistic(
        name="strength", label="", bins=np.arange(2.0), axis="", relative_to=relative_to,
        measure=lambda maps: np.stack([maps.std(axis=(1, 2)), np.abs(maps).max(axis=(1, 2))], axis=1),
    )  # fmt: skip

    def judged(generated: np.ndarray):
        found = assess(
            [strength], simulated, generated, Tolerances(draws=20), training=learnt, learnt=[learnt.maps[:10]]
        )
        return found.agreements["strength"]

    again = judged(np.tile(simulated.maps, (repeats, 1, 1)))
    np.testing.assert_allclose(again.deviation, 0, atol=1e-9)
    np.testing.assert_allclose(again.spread, 1, rtol=1e-9)
    assert (judged(np.tile(simulated.maps[::-1], (repeats, 1, 1))).spread > 1.5).all()
    compared, _ = matched(held(np.tile(skies(2).maps, (repeats, 1, 1))), learnt)
    np.testing.assert_allclose(compared.generated.reshape(repeats, COSMOLOGIES, -1).std(axis=2), 1, rtol=0.06)


def test_maps_that_are_not_told_apart_stay_as_they_are():
    plain = held(skies(2).maps)
    plain = HeldOut(**{**vars(plain), "simulated": MapSet(maps=plain.simulated.maps)})
    compared, _ = matched(plain, skies(3))
    assert compared is plain


def test_an_estimator_reads_generated_maps_as_it_reads_simulated_ones_or_they_fail():
    """It reads p = ln σ off a map; maps too strong by 10 % are read too high by ln 1.1, as much as its error."""

    def predict(maps):
        return np.log(maps.std(axis=(1, 2, 3)))[:, None], None

    judge = SimpleNamespace(names=("p",), predict=predict)
    for strength, passed in ((1.0, True), (1.1, False)):
        said, verdicts = estimates(judge, held(strength * skies(2).maps), ("p",), Tolerances(draws=100))
        assert verdicts["estimated_p"].passed == passed
        bias = said["p"]["generated_bias"] - said["p"]["simulated_bias"]
        assert bias == pytest.approx(np.log(strength), abs=0.01)
        _, thrice = estimates(judge, held(np.tile(strength * skies(2).maps, (3, 1, 1))), ("p",), Tolerances(draws=100))
        assert thrice["estimated_p"].value == pytest.approx(verdicts["estimated_p"].value)
