import numpy as np
import pytest
from scipy.stats import kurtosis, skew

from tenfold.pipelines.simulation.surrogates import gaussian_surrogate
from tenfold.stats.power import overdensity, power_spectrum


@pytest.fixture(scope="module")
def lognormal():
    field = np.random.default_rng(0).standard_normal((32, 32, 32))
    modes = np.fft.rfftn(field)
    n = np.fft.fftfreq(32, 1 / 32)
    modes *= np.exp(-0.02 * (n[:, None, None] ** 2 + n[:, None] ** 2 + n[:17] ** 2))
    return overdensity(np.exp(15 * np.fft.irfftn(modes)))


def test_a_surrogate_has_the_power_of_its_box_in_every_bin(lognormal):
    surrogate = gaussian_surrogate(lognormal, np.random.default_rng(1))
    assert surrogate.dtype == np.float32
    box, own = power_spectrum(lognormal, 100.0), power_spectrum(surrogate, 100.0)
    assert np.allclose(own.power, box.power, rtol=1e-4, atol=1e-9 * box.power.max())


def test_a_surrogate_has_the_variance_of_its_box_to_the_corners_of_fourier_space(lognormal):
    assert np.isclose(gaussian_surrogate(lognormal, np.random.default_rng(1)).var(), lognormal.var(), rtol=1e-4)


def test_a_surrogate_is_gaussian_where_the_box_is_not(lognormal):
    surrogate = gaussian_surrogate(lognormal, np.random.default_rng(1))
    assert skew(lognormal.ravel()) > 1
    assert abs(skew(surrogate.ravel())) < 0.2
    assert abs(kurtosis(surrogate.ravel())) < 0.3
    assert surrogate.min() < -1


def test_channels_share_their_white_noise(lognormal):
    boxes = np.stack([lognormal, 0.5 * lognormal], axis=-1)
    surrogate = gaussian_surrogate(boxes, np.random.default_rng(2))
    assert np.allclose(surrogate[..., 1], 0.5 * surrogate[..., 0], atol=1e-5)


def test_the_seed_determines_the_surrogates(lognormal):
    first, repeated, other = (gaussian_surrogate(lognormal, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, repeated)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.5
    assert abs(np.corrcoef(first.ravel(), lognormal.ravel())[0, 1]) < 0.5


def test_a_shape_that_is_not_a_cube_is_refused():
    with pytest.raises(ValueError, match=r"\(4, 4, 5\)"):
        gaussian_surrogate(np.zeros((4, 4, 5)), np.random.default_rng(0))
