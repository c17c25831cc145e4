import numpy as np
import pytest
import scipy.fft

from tenfold.stats.minkowski_3d import gaussian_minkowski_3d, minkowski_functionals_3d

EMPTY = np.zeros((8, 8, 8))


def body(*boxes):
    """Field that is 1 in boxes, 0 elsewhere."""
    field = EMPTY.copy()
    for box in boxes:
        field[box] = 1
    return field


def counts(field):
    """V0, and the combinations of counts in V1 to V3, above one half."""
    functionals = minkowski_functionals_3d(field, [0.5, 2.0])
    return np.round(
        [
            functionals.v0[0] * 512,
            functionals.v1[0] * 512 * 4.5,
            functionals.v2[0] * 512 * 4.5,
            functionals.v3[0] * 512,
        ],
        9,
    ).tolist()


def test_functionals_of_a_brick_by_hand():
    # a × b × c: half its surface ab + bc + ca, half its edges' a + b + c, one component; at the border it wraps
    for corner in (2, 7):
        brick = np.roll(body(np.s_[:2, :3, :1]), (corner, corner, corner), (0, 1, 2))
        assert counts(brick) == [6, 6 + 3 + 2, 2 + 3 + 1, 1]


def test_components_holes_and_cavities():
    assert counts(body(np.s_[0, 0, 0], np.s_[4, 4, 4]))[3] == 2
    ring = body(np.s_[1:4, 1:4, 1])
    ring[2, 2, 1] = 0
    assert counts(ring)[3] == 0
    shell = body(np.s_[1:4, 1:4, 1:4])
    shell[2, 2, 2] = 0
    assert counts(shell)[3] == 2
    assert counts(body(np.s_[:, :2, :2]))[3] == 0  # a bar through the periodic cube closes upon itself
    assert counts(body(np.s_[:, :, :]))[3] == 0


def test_cells_that_touch_at_a_corner_or_an_edge_are_half_connected():
    assert counts(body(np.s_[1, 1, 1], np.s_[2, 2, 2]))[3] == 1.5
    assert counts(body(np.s_[1, 1, 1], np.s_[2, 2, 1]))[3] == 1.5


def test_a_field_and_its_negative_share_their_contours():
    field = np.random.default_rng(2).standard_normal((12, 12, 12))
    above, below = (minkowski_functionals_3d(f, [-0.5, 0.0, 0.5]) for f in (field, -field))
    assert np.allclose(above.v0, 1 - below.v0[::-1])
    assert np.allclose(above.v1, below.v1[::-1])
    assert np.allclose(above.v2, -below.v2[::-1])
    assert np.allclose(above.v3, below.v3[::-1])


def test_a_ball_has_the_functionals_of_a_ball():
    x = np.arange(64) - 31.5
    distance = np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + x**2)
    functionals = minkowski_functionals_3d(-distance, [-24.0, -20.0, -16.0], cell=0.5)
    radius = -functionals.thresholds * 0.5
    volume = 32.0**3
    assert np.allclose(functionals.v0 * volume, 4 / 3 * np.pi * radius**3, rtol=0.01)
    assert np.allclose(functionals.v1 * volume, 2 / 3 * np.pi * radius**2, rtol=0.02)
    assert np.allclose(functionals.v2 * volume, 4 / 3 * radius, rtol=0.06)
    assert np.allclose(functionals.v3 * volume, 1)
    assert np.array_equal(functionals.genus, -functionals.v3)


def test_a_gaussian_field_has_the_functionals_of_its_two_moments():
    side, scale, nu = 64, 3.0, np.linspace(-2.5, 2.5, 11)
    n = np.fft.fftfreq(side)
    k = 2 * np.pi * np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n[: side // 2 + 1] ** 2)
    rng = np.random.default_rng(0)
    rows, slopes = [], []
    for _ in range(6):
        modes = np.fft.rfftn(rng.standard_normal((side,) * 3)) * np.exp(-((k * scale) ** 2) / 2)
        field = scipy.fft.irfftn(modes)
        slope = np.mean(scipy.fft.irfftn(modes * 2j * np.pi * n[: side // 2 + 1]) ** 2)
        slopes.append(3 * slope / field.var())
        rows.append(minkowski_functionals_3d(field / field.std(), nu).rows.reshape(4, -1))
    theory = gaussian_minkowski_3d(nu, 1.0, np.sqrt(np.mean(slopes))).rows.reshape(4, -1)
    rows = np.array(rows)
    for v, measured, expected in zip(range(4), rows.transpose(1, 0, 2), theory, strict=True):
        # cells of a third of the smoothing length: 3 % of the largest value
        error = measured.std(0) / np.sqrt(len(measured)) + 0.03 / 4 * np.abs(expected).max()
        assert np.abs((measured.mean(0) - expected) / error).max() < 4, v


def test_shifts_and_turns_change_nothing():
    field = np.random.default_rng(1).standard_normal((10, 10, 10)).astype(np.float32)
    before = minkowski_functionals_3d(field, [-1, 0, 1])
    for moved in (np.roll(field, (1, 2, 3), (0, 1, 2)), np.rot90(field, axes=(0, 2)), field.transpose(1, 0, 2)):
        assert np.array_equal(minkowski_functionals_3d(moved, [-1, 0, 1]).rows, before.rows)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"cube.*\(4, 4, 5\)"):
        minkowski_functionals_3d(np.zeros((4, 4, 5)), [0, 1])
    with pytest.raises(ValueError, match="finite"):
        minkowski_functionals_3d(np.full((4, 4, 4), np.inf), [0, 1])
    with pytest.raises(ValueError, match="thresholds"):
        minkowski_functionals_3d(EMPTY, [1, 0])
