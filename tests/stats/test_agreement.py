import numpy as np
import pytest

from tenfold.stats.agreement import Verdict, agreement
from tenfold.stats.memorisation import memorisation

pytestmark = pytest.mark.slow

BINS = 6
MEAN = np.array([5.0, 3.0, 2.0, 1.5, 1.0, 0.5])


def rows(count: int, seed: int, mean=MEAN, spread: float = 0.2) -> np.ndarray:
    """Rows of a statistic whose neighbouring bins are correlated, as those of maps are."""
    noise = np.random.default_rng(seed).standard_normal((count, BINS + 1))
    return mean * (1 + spread * (noise[:, 1:] + noise[:, :-1]) / np.sqrt(2))


def test_maps_of_the_same_process_agree_as_often_as_stated():
    passed, reached = [], []
    for seed in range(0, 60, 2):
        comparison = agreement(rows(200, seed), rows(200, seed + 1), tolerance=0.1, draws=100)
        assert comparison.usable.all()
        passed.append(
            [v.passed for v in (comparison.mean, comparison.distribution, comparison.correlation, comparison.scatter)]
        )
        reached.append(comparison.p_values)
    assert np.mean(passed, axis=0).min() >= 0.9
    assert np.mean(reached) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(reached) < 0.1) < 0.15


def test_a_shifted_mean_is_detected_by_the_mean_and_stated():
    comparison = agreement(rows(400, 1), rows(400, 2, mean=1.15 * MEAN), tolerance=0.05)
    assert comparison.mean.value == pytest.approx(0.15, abs=0.03)
    assert not comparison.mean.passed
    assert not comparison.distribution.passed
    assert comparison.p_values.max() == 1 / 201  # no null of 200 comes near


def test_a_collapsed_generator_is_detected_by_its_small_scatter_though_its_mean_is_right():
    generated = np.repeat(rows(400, 5).mean(0)[None], 400, axis=0) + 0.01 * rows(400, 6)
    comparison = agreement(rows(400, 1), generated / generated.mean(0) * rows(400, 1).mean(0), tolerance=0.05)
    assert comparison.mean.passed
    assert not comparison.scatter.passed
    assert not comparison.distribution.passed
    assert np.median(comparison.scatter_ratio) < 0.1


def test_wrongly_correlated_bins_are_detected_by_their_correlation():
    generated = np.array([np.random.default_rng(9 + b).permutation(rows(400, 2)[:, b]) for b in range(BINS)]).T
    comparison = agreement(rows(400, 1), generated, tolerance=0.05)
    assert comparison.mean.passed
    assert comparison.scatter.passed
    assert not comparison.correlation.passed


def test_copies_of_a_simulation_do_not_sharpen_the_null():
    """Ten copies of twenty maps carry no more information than the twenty maps."""
    twenty = rows(20, 3)
    alone = agreement(np.repeat(twenty, 10, axis=0), rows(200, 4), tolerance=0.5)
    grouped = agreement(np.repeat(twenty, 10, axis=0), rows(200, 4), groups=np.repeat(np.arange(20), 10), tolerance=0.5)
    ratio = grouped.null_deviation / alone.null_deviation
    assert ratio.min() > 1.5


def test_the_null_of_independent_maps_is_that_of_theory():
    """|difference of two means| of Gaussians stays below 1.96 σ sqrt(1/n + 1/m) in 95 % of all cases."""
    comparison = agreement(rows(400, 1), rows(100, 2), tolerance=0.5, draws=2000)
    np.testing.assert_allclose(comparison.null_deviation, 1.96 * 0.2 * np.sqrt(1 / 400 + 1 / 100), rtol=0.12)


@pytest.mark.parametrize("shared", [0.0, 0.3, 1.0])
def test_a_generator_that_reproduces_its_training_maps_deviates_as_the_null_states(shared):
    """Maps of one simulation share none, some or all of their scatter."""
    simulations, training, maps = 24, 36, 10
    groups = np.repeat(np.arange(simulations), maps)
    beyond, failed = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        common = np.sqrt(shared) * rng.standard_normal((simulations + training, 1, BINS))
        own = np.sqrt(1 - shared) * rng.standard_normal((simulations + training, maps, BINS))
        every = MEAN * (1 + 0.2 * (common + own))
        seen = every[simulations:].reshape(-1, BINS)
        comparison = agreement(
            every[:simulations].reshape(-1, BINS), rng.choice(seen, simulations * maps), tolerance=0.5, groups=groups,
            n_training=training, draws=100,
        )  # fmt: skip
        beyond.append(np.abs(comparison.deviation) > comparison.null_deviation)
        failed.append(comparison.mean.value > comparison.mean.null)
    assert 0.02 < np.mean(beyond) < 0.09  # 5 % are expected
    assert sum(failed) <= 4  # 1 % are expected of the largest of all bins


def test_excess_scatter_of_the_generator_does_not_widen_the_null():
    calibrated = agreement(rows(400, 1), rows(400, 2), tolerance=0.5)
    overdispersed = agreement(rows(400, 1), rows(400, 2, spread=1.0), tolerance=0.5)
    np.testing.assert_array_equal(calibrated.null_deviation, overdispersed.null_deviation)


def test_the_null_is_the_limit_where_it_exceeds_the_tolerance():
    comparison = agreement(rows(40, 1, spread=1.0), rows(40, 2, spread=1.0), tolerance=0.01)
    assert not comparison.usable.any()
    assert comparison.mean.passed
    assert 0.01 < comparison.mean.value < comparison.mean.null
    assert not agreement(rows(40, 1, spread=1.0), 3 * rows(40, 2, spread=1.0), tolerance=0.01).mean.passed


def test_deviations_of_bins_that_change_sign_are_relative_to_the_largest_mean():
    mean = np.array([-3.0, -1.0, 0.0, 1.0, 3.0, 1.0])
    noise = 0.3 * np.random.default_rng(1).standard_normal((2, 400, BINS))
    comparison = agreement(mean + noise[0], mean + noise[1], tolerance=0.05, relative_to="largest")
    assert comparison.usable.all()
    assert comparison.mean.passed


def test_too_few_and_mismatched_rows_are_refused():
    with pytest.raises(ValueError, match="equal bins"):
        agreement(rows(10, 1), rows(10, 2)[:, :3], tolerance=0.1)
    with pytest.raises(ValueError, match="3 simulations and 10 generated"):
        agreement(rows(9, 1), rows(10, 2), groups=np.repeat([0, 1, 2], 3), tolerance=0.1)
    with pytest.raises(ValueError, match="n_training: found 0"):
        agreement(rows(10, 1), rows(10, 2), n_training=0, tolerance=0.1)


def smooth(count: int, seed: int, side: int = 16) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal((count, side, side))
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side
    return np.fft.irfft2(np.fft.rfft2(white) * np.exp(-((k / 3) ** 2)), s=(side, side))


@pytest.mark.parametrize("periodic", [True, False])
def test_copies_are_detected_in_every_orientation(periodic):
    training, unseen = smooth(60, 1), smooth(40, 2)
    copies = np.rot90(training[:40], 1, axes=(1, 2)).transpose(0, 2, 1) + 0.05 * smooth(40, 3)
    if periodic:
        copies = np.roll(copies, (3, 5), axis=(1, 2))
    result = memorisation(copies, [training[:25], training[25:]], unseen, periodic=periodic)
    assert result.copied_fraction == 1
    assert np.median(result.generated) < 0.2 * np.median(result.unseen)
    np.testing.assert_array_equal(result.nearest, np.arange(40))
    fresh = memorisation(smooth(40, 4), [training], unseen, periodic=periodic)
    assert fresh.copied_fraction <= fresh.null
    assert np.median(fresh.generated) == pytest.approx(np.median(fresh.unseen), rel=0.1)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_few_copies_of_another_contrast_among_new_maps_are_counted(periodic):
    training = smooth(3000, 1, 8)
    generated = np.concatenate([-0.5 + 3 * training[2960:], smooth(160, 2, 8)])
    result = memorisation(generated, [training[:1500], training[1500:]], smooth(400, 3, 8), periodic=periodic)
    assert 0.2 <= result.copied_fraction < 0.25
    assert result.null < 0.06
    np.testing.assert_allclose(result.generated[:40], 0, atol=1e-3)
    np.testing.assert_array_equal(result.nearest[:40], np.arange(2960, 3000))


def test_distances_equal_those_of_a_search_over_all_shifts_and_rotations():
    training, maps = smooth(5, 1, 8), smooth(4, 2, 8)
    ways = [np.roll(turn, (x, y), (0, 1)) for one in training for turn in turns(one)
            for x in range(8) for y in range(8)]  # fmt: skip
    r = np.array([[np.corrcoef(one.ravel(), way.ravel())[0, 1] for way in ways] for one in maps])
    result = memorisation(maps, [training], maps, periodic=True)
    np.testing.assert_allclose(result.generated, np.sqrt(1 - r.max(axis=1)), rtol=1e-4)
    np.testing.assert_array_equal(result.nearest, r.argmax(axis=1) // (8 * 64))


def turns(map_: np.ndarray) -> list[np.ndarray]:
    """All orientations of a square."""
    return [np.rot90(square, turn) for square in (map_, map_.T) for turn in range(4)]


def test_maps_of_different_sizes_cannot_be_compared():
    with pytest.raises(ValueError, match="one size"):
        memorisation(smooth(4, 1), [smooth(4, 1, 8)], smooth(4, 2), periodic=True)


@pytest.mark.parametrize(
    ("value", "passed", "undecided", "failed"),
    [(0.05, True, False, False), (0.07, False, True, False), (0.08, False, False, True), (np.nan, False, False, True)],
)
def test_a_verdict_fails_only_beyond_the_margin(value, passed, undecided, failed):
    """The null sets the limit, 0.06; with a margin of a quarter, failure begins at 0.075."""
    verdict = Verdict(value=value, tolerance=0.05, null=0.06, passed=value <= 0.06, description="", margin=0.25)
    assert (verdict.passed, verdict.undecided, verdict.failed) == (passed, undecided, failed)


def test_a_verdict_without_a_null_is_undecided():
    verdict = Verdict(value=np.nan, tolerance=0.05, null=np.nan, passed=False, description="")
    assert verdict.undecided
    assert not verdict.failed
