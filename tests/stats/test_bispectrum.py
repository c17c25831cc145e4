from itertools import product

import numpy as np
import pytest

from tenfold.stats.bispectrum import bispectrum, bispectrum_3d, equilateral, squeezed

SIDE = 3.6  # degrees: modes at multiples of ℓ = 100
AREA = np.deg2rad(SIDE) ** 2


def wave(side, n, amplitude, phase=0.0):
    x = [np.arange(side).reshape([-1 if axis == i else 1 for axis in range(len(n))]) for i in range(len(n))]
    return amplitude * np.cos(2 * np.pi / side * sum(a * b for a, b in zip(n, x, strict=True)) + phase)


def brute_force(field, shells):
    """Sum of FT FT FT, and number, of all closed triangles with sides in shells [(low, high], …]."""
    side, dimensions = field.shape[0], field.ndim
    modes = np.fft.fftn(field)
    every = list(product(range(-side // 2 + 1, side // 2), repeat=dimensions))
    inside = [[n for n in every if low < np.linalg.norm(n) <= high] for low, high in shells]
    total, count = 0.0, 0
    for a in inside[0]:
        for b in inside[1]:
            c = tuple(-np.add(a, b))
            if shells[2][0] < np.linalg.norm(c) <= shells[2][1]:
                total += (modes[a] * modes[b] * modes[c]).real
                count += 1
    return total, count


def test_three_waves_that_close_have_the_bispectrum_worked_out_by_hand():
    side, a = 32, 0.1
    # modes (4, 0), (−2, 3), (−2, −3) and their conjugates have amplitude a N²/2 each
    field = wave(side, (4, 0), a) + wave(side, (-2, 3), a) + wave(side, (-2, -3), a)
    measured = bispectrum(field[None], SIDE, [350, 400])
    # 3! orders of the three, twice with the conjugates; FT³ area²/N⁶
    assert np.isclose(measured.bispectrum[0, 0] * measured.triangles[0], 12 * (a / 2) ** 3 * AREA**2)
    turned = field + wave(side, (4, 0), -2 * a)
    assert np.isclose(bispectrum(turned[None], SIDE, [350, 400]).bispectrum[0, 0], -measured.bispectrum[0, 0])
    apart = wave(side, (4, 0), a, np.pi / 2) + wave(side, (-2, 3), a) + wave(side, (-2, -3), a)
    assert np.isclose(bispectrum(apart[None], SIDE, [350, 400]).bispectrum[0, 0], 0, atol=1e-20)


def test_a_squeezed_triangle_worked_out_by_hand():
    field = wave(32, (1, 0), 0.1) + wave(32, (5, 0), 0.2) + wave(32, (-6, 0), 0.3)
    measured = bispectrum(field[None], SIDE, [50, 100, 450, 650], [(0, 2, 2)])
    # the long wave first, then the short ones in either order, and the conjugates
    assert np.isclose(measured.bispectrum[0, 0] * measured.triangles[0], 4 * 0.05 * 0.1 * 0.15 * AREA**2)
    assert np.allclose(measured.sides[0, 0], 100)


def test_every_triangle_is_counted_and_none_closes_around_the_grid():
    maps = np.random.default_rng(0).standard_normal((2, 12, 12))
    edges = [50, 250, 420, 590]
    triangles = [(0, 0, 0), (2, 2, 2), (0, 1, 2), (2, 1, 0), (0, 2, 2)]
    measured = bispectrum(maps, SIDE, edges, triangles)
    shells = [(0.5, 2.5), (2.5, 4.2), (4.2, 5.9)]
    for t, sides in enumerate(triangles):
        for row, field in enumerate(maps):
            total, count = brute_force(field, [shells[b] for b in sides])
            assert measured.triangles[t] == count
            assert np.isclose(measured.bispectrum[row, t], total / count * AREA**2 / 12**6)


def test_the_bispectrum_of_a_cube_agrees_with_a_sum_over_triangles():
    delta = np.random.default_rng(1).standard_normal((8, 8, 8))
    measured = bispectrum_3d(delta, 100.0, np.array([0.5, 1.5, 2.5]) * 2 * np.pi / 100)
    for t, shell in enumerate([(0.5, 1.5), (1.5, 2.5)]):
        total, count = brute_force(delta, [shell] * 3)
        assert measured.triangles[t] == count
        assert np.isclose(measured.bispectrum[0, t], total / count * 100.0**6 / 8.0**9)
    # three waves at 120° in a plane
    field = wave(8, (1, -1, 0), 0.1) + wave(8, (0, 1, -1), 0.1) + wave(8, (-1, 0, 1), 0.1)
    measured = bispectrum_3d(field, 100.0, np.array([1.2, 1.5]) * 2 * np.pi / 100)
    assert np.isclose(measured.bispectrum[0, 0] * measured.triangles[0], 12 * 0.05**3 * 100.0**6)
    assert np.allclose(measured.sides, np.sqrt(2) * 2 * np.pi / 100)


def test_the_bispectrum_of_a_gaussian_field_is_zero_with_the_gaussian_variance():
    maps = np.random.default_rng(2).standard_normal((800, 24, 24))
    measured = bispectrum(maps, SIDE, [50, 250, 450, 750], [*equilateral(3), *squeezed(3), (0, 1, 2)])
    power = AREA / 24**2
    ways = np.array([6, 6, 6, 2, 2, 1])
    variance = ways * power**3 * AREA / measured.triangles
    pull = measured.bispectrum / np.sqrt(variance)
    assert np.abs(pull.mean(0) * np.sqrt(800)).max() < 4
    assert np.abs(pull.std(0) - 1).max() < 0.15


def test_the_bispectrum_of_exponential_noise_is_its_skewness():
    # white noise with ⟨κ³⟩ = 2 has the same bispectrum everywhere: 2 (pixel area)²
    maps = np.random.default_rng(3).exponential(1.0, (800, 24, 24)) - 1
    rows = bispectrum(maps, SIDE, [50, 450, 850], [(0, 0, 0), (1, 1, 1), (0, 1, 1)]).bispectrum
    expected = 2 * (AREA / 24**2) ** 2
    assert np.abs((rows.mean(0) - expected) / rows.std(0) * np.sqrt(800)).max() < 4
    assert (rows.mean(0) > 10 * rows.std(0) / np.sqrt(800)).all()


@pytest.mark.parametrize("moved", [lambda m: np.roll(m, (3, -5), (1, 2)), lambda m: np.rot90(m, axes=(1, 2))])
def test_shifts_and_quarter_turns_change_nothing(moved):
    maps = np.random.default_rng(4).standard_normal((2, 16, 16))
    before, after = (bispectrum(m, SIDE, [50, 350, 700], [(0, 0, 0), (0, 1, 1)]) for m in (maps, moved(maps)))
    assert np.allclose(after.bispectrum, before.bispectrum)


def test_single_precision_is_enough():
    maps = np.random.default_rng(5).exponential(1.0, (3, 32, 32))
    double, single = (bispectrum(m, SIDE, [50, 450, 850]).bispectrum for m in (maps, maps.astype(np.float32)))
    assert np.allclose(single, double, rtol=1e-4, atol=1e-5 * np.abs(double).max())


def test_wrong_input_is_named():
    maps = np.zeros((1, 16, 16))
    with pytest.raises(ValueError, match=r"\(16, 16\)"):
        bispectrum(maps[0], SIDE, [50, 250])
    with pytest.raises(ValueError, match="Nyquist mode of 8 fundamental"):
        bispectrum(maps, SIDE, [50, 850])
    with pytest.raises(ValueError, match="no triangle has sides in 50 to 150, 50 to 150, 450 to 790"):
        bispectrum(maps, SIDE, [50, 150, 350, 450, 790], [(0, 1, 2), (0, 0, 3)])
    with pytest.raises(ValueError, match="three bins from 0 to 0"):
        bispectrum(maps, SIDE, [50, 250], [(0, 0, 1)])
    with pytest.raises(ValueError, match=r"cube.*\(4, 4, 5\)"):
        bispectrum_3d(np.zeros((4, 4, 5)), 100.0, [0.1, 0.2])
