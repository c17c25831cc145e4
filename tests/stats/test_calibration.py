"""Scores of estimates and their intervals: cases by hand, laws of the bootstrap, refusals."""

import numpy as np
import pytest

from tenfold.stats.calibration import Bootstrap, Interval, coverage_band, rmse_ratio, scores


def test_scores_of_four_records_by_hand():
    true = np.array([0.0, 0.0, 2.0, 2.0])
    mean = np.array([1.0, 0.0, 2.0, 5.0])
    calibration = scores(true, mean, np.ones(4), Bootstrap(["a", "b", "c", "d"], seed=0))
    assert calibration.rmse.value == pytest.approx(np.sqrt(10 / 4))
    assert calibration.bias.value == pytest.approx(1)
    assert calibration.chi2.value == pytest.approx(10 / 4)
    assert calibration.coverage_68.value == pytest.approx(3 / 4)
    assert calibration.coverage_95.value == pytest.approx(3 / 4)
    assert calibration.r2.value == pytest.approx(1 - 2.5 / 1)
    assert (calibration.records, calibration.simulations) == (4, 4)


def test_calibrated_sigmas_are_distinguished_from_too_small_ones():
    rng = np.random.default_rng(1)
    sigma = rng.uniform(0.01, 0.05, 4000)
    true = rng.random(4000)
    mean = true + sigma * rng.normal(size=4000)
    bootstrap = Bootstrap(np.arange(4000), seed=0, draws=1000)
    calibrated, overconfident = (scores(true, mean, sigma * scale, bootstrap) for scale in (1, 0.5))
    for interval, expected in ((calibrated.chi2, 1), (calibrated.coverage_68, 0.6827), (calibrated.coverage_95, 0.95)):
        assert interval.low < expected < interval.high
    assert overconfident.chi2.low > 3.5
    assert overconfident.coverage_68.high < 0.45


def test_interval_of_a_mean_is_that_of_the_central_limit():
    rng = np.random.default_rng(2)
    error = rng.normal(0.3, 2, 900)
    bias = scores(np.zeros(900), error, np.ones(900), Bootstrap(np.arange(900), seed=0)).bias
    assert bias.value == pytest.approx(error.mean())
    half = 1.96 * error.std() / 30
    assert bias.high - bias.value == pytest.approx(half, rel=0.05)
    assert bias.value - bias.low == pytest.approx(half, rel=0.05)


def test_copies_of_a_record_do_not_narrow_the_interval():
    # Eight identical sub-volumes of every box carry the information of one.
    rng = np.random.default_rng(3)
    true, error = rng.random(40), rng.normal(size=40)
    names = np.array([f"box_{i:05d}" for i in range(40)])
    one = scores(true, true + error, np.ones(40), Bootstrap(names, seed=5))
    true, error, names = (np.repeat(values, 8) for values in (true, error, names))
    eight = scores(true, true + error, np.ones(320), Bootstrap(names, seed=5))
    for name in ("rmse", "bias", "chi2", "coverage_68", "r2"):
        a, b = getattr(one, name), getattr(eight, name)
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-9)
    assert (eight.records, eight.simulations) == (320, 40)


def test_the_interval_has_its_nominal_coverage():
    covered, experiments = 0, 300
    for seed in range(experiments):
        error = np.random.default_rng(seed).normal(size=60)
        rmse = scores(np.zeros(60), error, np.ones(60), Bootstrap(np.arange(60), seed=seed, draws=500)).rmse
        covered += rmse.low <= 1 <= rmse.high
    assert 0.90 <= covered / experiments <= 0.98


def test_the_ratio_has_no_scatter_where_one_error_is_always_twice_the_other():
    true = np.linspace(0, 1, 30)
    error = np.random.default_rng(4).normal(size=30)
    ratio = rmse_ratio(true, true + error, true - 2 * error, Bootstrap(np.arange(30), seed=0))
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))


def test_the_interval_of_a_paired_ratio_is_narrower_than_that_of_independent_errors():
    rng = np.random.default_rng(5)
    true, shared = rng.random(100), rng.standard_t(5, 100)
    method, reference = true + shared, true + 1.3 * shared + 0.1 * rng.normal(size=100)
    bootstrap = Bootstrap(np.arange(100), seed=0)
    ratio = rmse_ratio(true, method, reference, bootstrap)
    own, other = (scores(true, mean, np.ones(100), bootstrap).rmse for mean in (method, reference))
    assert ratio.low > 1
    assert own.high > other.low, "the two intervals overlap, and yet the paired ratio tells them apart"


def test_false_gains_of_equally_accurate_methods_have_their_nominal_rate():
    false_gains = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=80)
        a, b = (0.8 * shared + 0.6 * rng.normal(size=80) for _ in range(2))
        false_gains += rmse_ratio(np.zeros(80), a, b, Bootstrap(np.arange(80), seed=seed, draws=500)).low > 1
    assert false_gains / 300 < 0.055  # 2.5 % expected


def test_the_seed_determines_the_bootstrap_draws():
    error = np.random.default_rng(6).normal(size=25)
    first, again, other = (
        scores(np.zeros(25), error, np.ones(25), Bootstrap(np.arange(25), seed=seed)).rmse for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert first.value == other.value


def test_a_constant_statistic_has_an_interval_of_no_width():
    calibration = scores(np.zeros(5), np.full(5, 0.1), np.ones(5), Bootstrap(np.arange(5), seed=0, draws=200))
    assert calibration.coverage_68 == Interval(1, 1, 1)
    assert calibration.rmse.low == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.zeros(3)}, r"mean: shape \(4,\)"),
        ({"true": np.array([0, 1, np.nan, 3])}, "true: not finite at record 2"),
        ({"sigma": np.array([1, 1, 1, 0.0])}, "sigma: must be positive, found 0.0 at record 3"),
    ],
)
def test_impossible_estimates_are_refused(change, message):
    values = {"true": np.arange(4.0), "mean": np.arange(4.0), "sigma": np.ones(4)} | change
    with pytest.raises(ValueError, match=message):
        scores(**values, bootstrap=Bootstrap(np.arange(4), seed=0))


def test_one_simulation_has_no_interval():
    with pytest.raises(ValueError, match="at least 2, found"):
        Bootstrap(["box_00000"] * 8, seed=0)
    with pytest.raises(ValueError, match="draws"):
        Bootstrap([1, 2], seed=0, draws=3)
    with pytest.raises(ValueError, match="level"):
        Bootstrap([1, 2], seed=0, level=95)


def test_a_ratio_to_an_error_of_zero_is_refused():
    with pytest.raises(ValueError, match="equals the truth"):
        rmse_ratio(np.zeros(3), np.zeros(3), np.ones(3), Bootstrap([1, 2, 3], seed=0))


def test_the_band_of_coverage_is_the_binomial_s():
    low, high = coverage_band(0.5, 10)
    assert (low, high) == (0.2, 0.8)  # P(0 or 1 of 10) = 0.0107, P(0 to 2) = 0.0547
    low, high = coverage_band(0.6827, 10_000)
    assert low == pytest.approx(0.6827 - 1.96 * np.sqrt(0.6827 * 0.3173 / 10_000), abs=2e-4)
    assert high == pytest.approx(0.6827 + 1.96 * np.sqrt(0.6827 * 0.3173 / 10_000), abs=2e-4)


def test_a_coverage_of_zero_or_one_has_a_band_of_no_width():
    np.testing.assert_array_equal(coverage_band(np.array([0.0, 1.0]), 7), [[0, 1], [0, 1]])
