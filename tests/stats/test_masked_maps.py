import itertools

import numpy as np
import pytest

from tenfold.stats.bispectrum import bispectrum
from tenfold.stats.maps import angular_power, peaks, pixel_distribution
from tenfold.stats.masked_maps import masked_peaks, masked_pixel_distribution, mode_coupling, pseudo_power
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.wavelets import starlet

PIXEL = 0.1  # degrees: Nyquist at ℓ = 1800


def footprint(height, width):
    mask = np.ones((height, width), bool)
    mask[: height // 3, : width // 3] = mask[height // 2 : height // 2 + 4, width // 2 : width // 2 + 4] = False
    return mask


def gaussian_maps(count, height, width, spectrum, seed=0, beyond=2):
    """Pieces of larger periodic Gaussian fields with C_ℓ = spectrum(ℓ) [sr]: the sky goes on beyond a map."""
    rng = np.random.default_rng(seed)
    shape = (beyond * height, beyond * width)
    ell = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])) * 360 / PIXEL
    amplitude = np.sqrt(np.where(ell > 0, spectrum(np.maximum(ell, 1)), 0)) / np.deg2rad(PIXEL)
    for _ in range(count):
        modes = np.fft.rfft2(rng.standard_normal(shape)) * amplitude
        yield np.fft.irfft2(modes, shape)[:height, :width]


def test_white_noise_has_its_power_whatever_the_mask():
    maps, mask = np.random.default_rng(0).standard_normal((300, 24, 40)), footprint(24, 40)
    found = pseudo_power(maps, mask, PIXEL, np.linspace(0, 1800, 7))
    expected = np.deg2rad(PIXEL) ** 2
    error = found.power.std(0) / np.sqrt(len(maps))
    assert np.abs((found.power.mean(0) - expected) / error).max() < 4  # the mean of each map costs under 1 %
    assert found.f_sky == mask.mean()


def test_pixels_outside_the_mask_do_not_matter():
    maps, mask = np.random.default_rng(0).standard_normal((3, 24, 40)), footprint(24, 40)
    other = np.where(mask, maps, np.nan)
    for measure, edges in ((masked_pixel_distribution, [-3, 0, 3]), (masked_peaks, [-3, 0, 3])):
        assert np.array_equal(measure(maps, mask, edges).counts, measure(other, mask, edges).counts)
    edges = np.linspace(0, 1800, 7)
    assert np.array_equal(pseudo_power(maps, mask, PIXEL, edges).power, pseudo_power(other, mask, PIXEL, edges).power)


def test_the_coupling_predicts_the_pseudo_spectrum_and_its_inverse_removes_the_mask():
    def steep(ell):
        return 1e-6 * (ell / 300) ** -2.0

    height, width = 48, 32
    mask, edges = footprint(height, width), np.array([0.0, 113.0, 226.0, 339.0, 565.0, 791.0, 1130.0, 1808.0, 2560.0])
    maps = np.stack(list(gaussian_maps(400, height, width, steep)))
    found = pseudo_power(maps, mask, PIXEL, edges)
    ell = np.hypot(np.fft.fftfreq(2 * height)[:, None], np.fft.fftfreq(2 * width)) * 360 / PIXEL
    sky = np.array([steep(ell[(ell > a) & (ell <= b)]).mean() for a, b in itertools.pairwise(edges)])
    inside = slice(2, -1)  # the mean that is subtracted takes power from the lowest bins; the last are the corners
    biased = found.power.mean(0)[inside] / sky[inside]
    unbiased = np.linalg.solve(mode_coupling(mask, PIXEL, edges), found.power.mean(0))[inside] / sky[inside]
    assert biased.min() > 1.09  # what the sharp edges of the mask carry to high multipoles
    assert np.abs(unbiased - 1).max() < 0.03


def test_rows_of_the_coupling_of_all_modes_sum_to_one():
    coupling = mode_coupling(footprint(24, 40), PIXEL, np.append(np.linspace(0, 1800, 7), 2600))
    assert np.all(coupling >= 0)
    # less the mode of ℓ = 0, which is in no bin
    assert np.all((coupling.sum(1) > 0.95) & (coupling.sum(1) < 1 + 1e-12))


def test_a_complete_map_has_the_histogram_and_the_peaks_of_square_maps():
    maps, mask, edges = np.random.default_rng(0).standard_normal((4, 20, 20)), np.ones((20, 20), bool), np.arange(-3, 4)
    for ours, of_squares in (
        (masked_pixel_distribution(maps, mask, edges), pixel_distribution(maps, edges)),
        (masked_peaks(maps, mask, edges), peaks(maps, edges, periodic=False)),
    ):
        assert np.array_equal(ours.counts, of_squares.counts)
        assert np.array_equal(ours.total, of_squares.total)


def test_a_peak_beside_a_masked_pixel_is_none():
    image, mask = np.zeros((1, 7, 9)), np.ones((7, 9), bool)
    image[0, 2, 2] = image[0, 4, 6] = 5.0
    assert masked_peaks(image, mask, [1, 9]).total[0] == 2
    mask[1, 1] = False
    assert masked_peaks(image, mask, [1, 9]).total[0] == 1


def test_statistics_of_complete_squares_refuse_other_maps():
    maps = np.zeros((2, 24, 40))
    for measure in (
        lambda: angular_power(maps, 3.6, [100, 500]),
        lambda: peaks(maps, [0, 1], periodic=False),
        lambda: bispectrum(maps, 3.6, [100, 500]),
        lambda: minkowski_functionals(maps, [0.0, 1.0], periodic=False),
        lambda: starlet(maps, 2, periodic=False),
    ):
        with pytest.raises(ValueError, match="complete square maps are needed"):
            measure()


@pytest.mark.parametrize(
    ("maps", "mask", "message"),
    [
        (np.zeros((2, 8, 9)), np.ones((9, 8)), r"maps \(maps, Y, X\) and a mask \(Y, X\)"),
        (np.zeros((2, 8, 9)), np.zeros((8, 9)), "one above 0"),
        (np.zeros((2, 8, 9)), np.full((8, 9), 2.0), "values from 0 to 1"),
        (np.full((2, 8, 9), np.nan), np.ones((8, 9)), r"map 0 has observed pixels that are not finite \(2 such maps\)"),
    ],
)
def test_maps_and_masks_that_do_not_fit(maps, mask, message):
    with pytest.raises(ValueError, match=message):
        masked_pixel_distribution(maps, mask, [0, 1])
