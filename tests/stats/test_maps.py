import numpy as np
import pytest
from scipy.special import ndtr

from tenfold.stats.maps import angular_power, minima, peaks, pixel_distribution

SIDE = 3.6  # degrees: modes at multiples of ℓ = 100
EDGES = np.linspace(-3, 3, 13)


def wave(side, n, amplitude):
    x = np.arange(side) / side
    return amplitude * np.cos(2 * np.pi * (n[0] * x[:, None] + n[1] * x))


def noise(count=5, side=24, seed=0):
    return np.random.default_rng(seed).standard_normal((count, side, side))


def test_a_sine_wave_has_all_its_power_in_its_own_bin():
    spectrum = angular_power(wave(32, (3, 4), 0.1)[None], SIDE, [0, 250, 450, 550, 1600])
    # ⟨κ²⟩ = 0.1²/2 is the sum of C over all modes, over the area
    area = np.deg2rad(SIDE) ** 2
    assert np.allclose(spectrum.power[0] * 2 * spectrum.modes / area, [0, 0, 0.1**2 / 2, 0], atol=1e-17)


def test_a_bin_holds_its_upper_edge_and_not_its_lower():
    spectrum = angular_power(noise(), SIDE, [100, 200, 500])
    # |n| ≤ 2 without |n| ≤ 1: (1, 1) and (2, 0) in all directions
    assert spectrum.modes[0] == 4
    assert np.isclose(spectrum.ell[0], 100 * (2 + np.sqrt(2)) / 2)


@pytest.mark.parametrize("side", [12, 13])
def test_all_modes_are_counted_whatever_the_line(side):
    maps, others = noise(2, side), noise(2, side, seed=1)
    n = np.fft.fftfreq(side, 1 / side)
    size = 100 * np.hypot(n[:, None], n)
    one, two = np.fft.fft2(maps), np.fft.fft2(others)
    edges = np.array([50.0, 150.0, 333.0, 900.0])
    cross, auto = angular_power(maps, SIDE, edges, other=others), angular_power(maps, SIDE, edges)
    for b in range(3):
        inside = (size > edges[b]) & (size <= edges[b + 1])
        scale = np.deg2rad(SIDE) ** 2 / side**4
        assert np.isclose(cross.ell[b], size[inside].mean())
        assert cross.modes[b] == inside.sum() / 2
        assert np.allclose(cross.power[:, b], scale * (one * two.conj()).real[:, inside].mean(1))
        assert np.allclose(auto.power[:, b], scale * (np.abs(one) ** 2)[:, inside].mean(1))


def test_white_noise_is_flat_at_its_variance_per_steradian():
    maps = noise(200, 32)
    spectrum = angular_power(maps, SIDE, np.arange(0, 1601, 200))
    expected = (np.deg2rad(SIDE) / 32) ** 2
    deviation = (spectrum.power.mean(0) / expected - 1) * np.sqrt(200 * spectrum.modes)
    assert np.abs(deviation).max() < 4


def test_the_cross_power_of_a_map_with_itself_is_its_power():
    maps, edges = noise(), [0, 400, 1200]
    assert np.allclose(
        angular_power(maps, SIDE, edges, other=-2 * maps).power, -2 * angular_power(maps, SIDE, edges).power
    )


def test_pixels_of_white_noise_follow_the_gaussian():
    measured = pixel_distribution(noise(100, 32), EDGES)
    expected = np.diff(ndtr(EDGES))
    pixels = measured.total.sum()
    assert pixels == 100 * 32**2
    error = np.sqrt(expected * (1 - expected) * pixels)
    assert np.abs((measured.counts.sum(0) - expected * pixels) / error).max() < 4
    assert np.allclose(measured.density.mean(0) * np.diff(EDGES), measured.counts.sum(0) / pixels)
    assert np.allclose(measured.centres[[0, -1]], [-2.75, 2.75])


def test_pixels_are_counted_as_numpy_counts_them():
    maps = np.round(noise(), 1)
    measured = pixel_distribution(maps, EDGES)
    assert np.array_equal(measured.counts, [np.histogram(map_, EDGES)[0] for map_ in maps])
    assert np.allclose(measured.per_unit, measured.counts / 0.5)


HAND = np.array(
    [
        [0, 0, 0, 0, 9],
        [0, 5, 0, 0, 0],
        [0, 0, 4, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 3, 3],
    ]
)


def test_peaks_of_a_map_one_can_check_by_hand():
    heights = np.arange(0.5, 10)
    # 4 touches 5 at a corner; the two 3 are a plateau; 9 is a corner of the map and touches the plateau when it wraps
    wrapped = peaks(HAND[None], heights, periodic=True)
    assert (wrapped.counts[0] == [0, 0, 0, 0, 1, 0, 0, 0, 1]).all()
    cut = peaks(HAND[None], heights, periodic=False)
    assert (cut.counts[0] == [0, 0, 0, 0, 1, 0, 0, 0, 0]).all()
    assert wrapped.total.tolist() == [2] and cut.total.tolist() == [1]
    assert peaks(HAND[None], [0.5, 4.5], periodic=True).total.tolist() == [2]  # counted, though outside the edges


def test_minima_are_peaks_of_the_map_turned_over():
    maps = noise()
    edges = np.linspace(-3, 3, 13) + 0.01
    measured = minima(maps, edges, periodic=True)
    assert np.array_equal(measured.counts, peaks(-maps, -edges[::-1], periodic=True).counts[:, ::-1])
    assert (minima(-HAND[None], np.arange(-9.5, 0), periodic=True).counts[0] == [1, 0, 0, 0, 1, 0, 0, 0, 0]).all()


def test_one_pixel_in_nine_of_white_noise_is_a_peak():
    # the highest of nine independent values is equally likely each of them
    total = peaks(noise(200, 32), EDGES, periodic=True).total
    assert abs(total.mean() - 32**2 / 9) < 4 * total.std() / np.sqrt(200)


@pytest.mark.parametrize("moved", [lambda m: np.roll(m, (3, -5), (1, 2)), lambda m: np.rot90(m, axes=(1, 2))])
def test_statistics_of_periodic_maps_do_not_see_shifts_or_quarter_turns(moved):
    maps = noise()
    for statistic in (
        lambda m: angular_power(m, SIDE, [0, 500, 900]).power,
        lambda m: pixel_distribution(m, EDGES).counts,
        lambda m: peaks(m, EDGES, periodic=True).counts,
        lambda m: minima(m, EDGES, periodic=True).counts,
    ):
        assert np.allclose(statistic(moved(maps)), statistic(maps))


def test_statistics_of_chunks_of_maps_equal_those_of_all_maps():
    maps = noise(7).astype(np.float32)
    for statistic in (
        lambda m: angular_power(m, SIDE, [0, 500, 900]).power,
        lambda m: peaks(m, EDGES, periodic=False).counts,
    ):
        rows = [statistic(maps[:3]), statistic(maps[3:4]), statistic(maps[4:4]), statistic(maps[4:])]
        assert np.array_equal(np.concatenate(rows), statistic(maps))


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"\(8, 8\); pass a single map as maps\[None\]"):
        angular_power(np.zeros((8, 8)), SIDE, [0, 500])
    with pytest.raises(ValueError, match=r"\(1, 8, 9\)"):
        peaks(np.zeros((1, 8, 9)), EDGES, periodic=True)
    with pytest.raises(ValueError, match=r"other.*\(1, 8, 8\)"):
        angular_power(np.zeros((2, 8, 8)), SIDE, [0, 500], other=np.zeros((1, 8, 8)))
    with pytest.raises(ValueError, match="side_deg"):
        angular_power(np.zeros((2, 8, 8)), 0, [0, 500])
    with pytest.raises(ValueError, match=r"no mode has 10 < ℓ ≤ 20 .* smallest ℓ is 100"):
        angular_power(np.zeros((2, 8, 8)), SIDE, [10, 20, 500])
    bad = np.zeros((3, 8, 8))
    bad[2, 1, 1] = np.nan
    with pytest.raises(ValueError, match="map 2 has pixels that are not finite"):
        pixel_distribution(bad, EDGES)
