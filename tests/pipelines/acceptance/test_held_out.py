"""Maps of many cosmologies on a common scale, and the test by an estimator."""

from types import SimpleNamespace

import numpy as np
import pytest

from tenfold.pipelines.acceptance.acceptance import MapSet, Tolerances, assess
from tenfold.pipelines.acceptance.estimates import estimates
from tenfold.pipelines.acceptance.held_out import HeldOut, matched
from tenfold.pipelines.acceptance.map_statistics import Statistic

COSMOLOGIES, MAPS, SIDE = 24, 30, 8


def map_set(seed: int) -> MapSet:
    """White-noise maps with standard deviation exp(p), p from -1 to 1."""
    rng = np.random.default_rng(seed)
    points = np.repeat(np.linspace(-1, 1, COSMOLOGIES), MAPS)[:, None]
    maps = np.exp(points)[:, None] * rng.standard_normal((COSMOLOGIES * MAPS, SIDE, SIDE))
    return MapSet(maps=maps.astype(np.float32), groups=np.repeat(np.arange(COSMOLOGIES), MAPS), parameters=points)


def held(generated: np.ndarray, seed: int = 1) -> HeldOut:
    return HeldOut(simulated=map_set(seed), generated=generated, distance=np.zeros(COSMOLOGIES * MAPS), outside_range=0)


def test_matched_maps_of_all_cosmologies_have_unit_scatter_and_an_excess_of_generated_maps_stays():
    compared, training = matched(held(1.2 * map_set(2).maps), map_set(3))
    for maps, sigma in ((compared.simulated.maps, 1.0), (training.maps, 1.0), (compared.generated, 1.2)):
        measured = maps.reshape(COSMOLOGIES, -1).std(axis=1)
        np.testing.assert_allclose(measured, sigma, rtol=0.06)


@pytest.mark.parametrize("relative_to", ["bin", "largest"])
def test_each_of_several_generated_maps_per_simulated_map_is_compared_with_its_own_cosmology(relative_to):
    simulated, training, repeats = map_set(1), map_set(3), 3
    strength = Statistic(
        name="strength", label="", bins=np.arange(2.0), axis="", relative_to=relative_to,
        measure=lambda maps: np.stack([maps.std(axis=(1, 2)), np.abs(maps).max(axis=(1, 2))], axis=1),
    )  # fmt: skip

    def agreement_of(generated: np.ndarray):
        assessment = assess(
            [strength],
            simulated,
            generated,
            Tolerances(draws=20),
            training=training,
            training_maps=[training.maps[:10]],
        )
        return assessment.agreements["strength"]

    repeated = agreement_of(np.tile(simulated.maps, (repeats, 1, 1)))
    np.testing.assert_allclose(repeated.deviation, 0, atol=1e-9)
    np.testing.assert_allclose(repeated.scatter_ratio, 1, rtol=1e-9)
    assert (agreement_of(np.tile(simulated.maps[::-1], (repeats, 1, 1))).scatter_ratio > 1.5).all()
    compared, _ = matched(held(np.tile(map_set(2).maps, (repeats, 1, 1))), training)
    np.testing.assert_allclose(compared.generated.reshape(repeats, COSMOLOGIES, -1).std(axis=2), 1, rtol=0.06)


def test_maps_without_parameters_are_left_unchanged():
    plain = held(map_set(2).maps)
    plain = HeldOut(**{**vars(plain), "simulated": MapSet(maps=plain.simulated.maps)})
    compared, _ = matched(plain, map_set(3))
    assert compared is plain


def test_generated_maps_fail_where_their_estimates_differ_from_those_of_simulated_maps():
    """The estimate is p = ln σ; an amplitude 10 % too high biases it by ln 1.1, about its own rms error."""

    def predict(maps):
        return np.log(maps.std(axis=(1, 2, 3)))[:, None], None

    estimator = SimpleNamespace(names=("p",), predict=predict)
    for strength, passed in ((1.0, True), (1.1, False)):
        summary, verdicts = estimates(estimator, held(strength * map_set(2).maps), ("p",), Tolerances(draws=100))
        assert verdicts["estimated_p"].passed == passed
        bias = summary["p"]["generated_bias"] - summary["p"]["simulated_bias"]
        assert bias == pytest.approx(np.log(strength), abs=0.01)
        _, tripled = estimates(
            estimator, held(np.tile(strength * map_set(2).maps, (3, 1, 1))), ("p",), Tolerances(draws=100)
        )
        assert tripled["estimated_p"].value == pytest.approx(verdicts["estimated_p"].value)
