"""Generators that fail in known ways and the statistic that detects each failure; a perfect generator passes."""

from dataclasses import replace

import numpy as np
import pytest

from tenfold.pipelines.acceptance.acceptance import MapSet, Tolerances, assess
from tenfold.pipelines.acceptance.map_statistics import statistics_for

SIDE, SIDE_DEG, COUNT = 32, 3.0, 300


def gaussian(count: int, seed: int) -> np.ndarray:
    """Periodic Gaussian fields of power ∝ ℓ^(−1.5), variance about 1."""
    white = np.random.default_rng(seed).standard_normal((count, SIDE, SIDE))
    k = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)) * SIDE
    amplitude = np.where(k > 0, np.maximum(k, 1) ** -0.75, 0)
    return np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(SIDE, SIDE)) * 3.2


def lognormal(count: int, seed: int) -> np.ndarray:
    """Maps with a heavy tail, of mean 0, as convergence has."""
    return (0.02 * (np.exp(0.6 * gaussian(count, seed)) - np.exp(0.18))).astype(np.float32)


@pytest.fixture(scope="module")
def simulated():
    return lognormal(COUNT, 1)


@pytest.fixture(scope="module")
def training():
    return lognormal(COUNT, 2)


@pytest.fixture(scope="module")
def assessment_of(simulated, training):
    statistics = statistics_for(simulated, SIDE_DEG, ell_max=1500, bins=6, periodic=True)

    def assessment_of(generated: np.ndarray):
        tolerances = Tolerances(tolerance=0.1, bispectrum_tolerance=0.3, draws=100, significance=0.005, seed_margin=0)
        simulated_set, training_set = MapSet(maps=simulated), MapSet(maps=training)
        return assess(statistics, simulated_set, generated, tolerances, training=training_set, periodic=True)

    return assessment_of


def test_an_error_names_the_statistic_that_failed(simulated, training):
    def fail(_: np.ndarray) -> np.ndarray:
        raise FloatingPointError("overflow")

    statistics = statistics_for(simulated, SIDE_DEG, bins=6)
    broken = [replace(statistic, measure=fail) if statistic.name == "peaks" else statistic for statistic in statistics]
    with pytest.raises(FloatingPointError, match="overflow") as caught:
        assess(broken, MapSet(maps=simulated), training, Tolerances(draws=100))
    assert caught.value.__notes__ == ["statistic: peaks"]


def test_an_error_in_a_comparison_names_the_statistic(simulated, training):
    statistics = [s for s in statistics_for(simulated, SIDE_DEG, bins=6) if s.name == "minima"]
    short = [replace(statistics[0], measure=lambda maps: np.zeros((len(maps), 0)))]
    with pytest.raises(Exception) as caught:
        assess(short, MapSet(maps=simulated), training, Tolerances(draws=100))
    assert "statistic: minima" in caught.value.__notes__


def test_a_perfect_generator_passes(assessment_of):
    assessment = assessment_of(lognormal(COUNT, 3))
    assert len(assessment.verdicts) == 4 * 10 + 1
    assert len(assessment.failed) <= 1, assessment.failed
    assert assessment.agreements["angular_power"].usable.sum() >= 3


def test_a_collapsed_generator_is_detected_by_the_scatter_and_the_distribution(assessment_of):
    three = lognormal(3, 4)
    assessment = assessment_of(np.roll(three[np.arange(COUNT) % 3], 5, axis=2) + np.float32(1e-6) * lognormal(COUNT, 5))
    assert {"angular_power_scatter", "angular_power_distribution"} <= set(assessment.failed)


def test_copies_of_training_maps_are_detected_by_the_memorisation_test_alone(assessment_of, training):
    rotated = np.rot90(np.roll(training, (7, 3), axis=(1, 2)), 1, axes=(1, 2))
    assessment = assessment_of(rotated + np.float32(1e-4) * lognormal(COUNT, 6))
    assert "memorisation" in assessment.failed
    assert len(assessment.failed) <= 2, assessment.failed


def test_phase_randomised_maps_are_detected_by_peaks_and_functionals_not_by_the_spectrum(assessment_of):
    modes = np.fft.rfft2(lognormal(COUNT, 7))
    phases = np.fft.rfft2(np.random.default_rng(8).standard_normal((COUNT, SIDE, SIDE)))
    surrogates = np.fft.irfft2(np.abs(modes) * phases / np.abs(phases), s=(SIDE, SIDE)).astype(np.float32)
    assessment = assessment_of(surrogates)
    assert "angular_power" not in assessment.failed
    assert {"pixel_distribution", "peaks", "minkowski_v2", "bispectrum_equilateral", "wavelet_l1"} <= set(
        assessment.failed
    )


def test_a_shifted_mean_is_detected_by_the_pixel_distribution_not_by_the_spectrum(assessment_of):
    assessment = assessment_of(lognormal(COUNT, 9) + np.float32(0.004))
    assert "pixel_distribution" in assessment.failed
    assert "angular_power" not in assessment.failed
    assert assessment.metrics()["pixel_distribution"]["value"] > 0.1


def test_unusable_tolerances_are_refused():
    with pytest.raises(ValueError, match="tolerance"):
        Tolerances(tolerance=0)
    with pytest.raises(ValueError, match="draws"):
        Tolerances(draws=3)
    with pytest.raises(ValueError, match="repeats"):
        Tolerances(repeats=0)
    for margin in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="seed_margin"):
            Tolerances(seed_margin=margin)


def test_a_figure_within_its_scatter_of_the_limit_is_undecided_and_does_not_fail(simulated):
    statistics = statistics_for(simulated, SIDE_DEG, ell_max=1500, bins=6, periodic=True)[:1]
    generated = simulated * np.float32(1.06)
    strict, wide = (
        assess(statistics, MapSet(maps=simulated), generated, Tolerances(tolerance=0.1, draws=20, seed_margin=margin))
        for margin in (0.0, 0.5)
    )
    name = statistics[0].name
    assert strict.verdicts[name].value == pytest.approx(1.06**2 - 1, rel=1e-3)
    assert name in strict.failed
    assert not strict.passed
    assert name in wide.undecided
    assert name not in wide.failed
    assert wide.metrics()[name]["failed"] is False
    assert wide.favourable == len(wide.verdicts) - len(wide.undecided) - len(wide.failed)
