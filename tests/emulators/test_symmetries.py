"""The cube has 48 symmetries, the square has 8, and none of them changes what a box or a map holds."""

import numpy as np

from tenfold.emulators.symmetries import CUBE_SYMMETRIES, SQUARE_SYMMETRIES, apply_symmetry, augment


def test_all_48_differ_and_the_first_changes_nothing():
    cube = np.arange(27).reshape(3, 3, 3)
    seen = {apply_symmetry(cube, s).tobytes() for s in range(len(CUBE_SYMMETRIES))}
    assert len(seen) == 48
    assert (apply_symmetry(cube, 0) == cube).all()


def test_they_form_a_group():
    cube = np.arange(27).reshape(3, 3, 3)
    seen = {np.ascontiguousarray(apply_symmetry(cube, s)).tobytes() for s in range(48)}
    for a in (5, 17, 46):
        for b in (11, 33):
            assert np.ascontiguousarray(apply_symmetry(apply_symmetry(cube, a), b)).tobytes() in seen


def test_distances_between_cells_are_kept():
    cube = np.zeros((5, 5, 5))
    cube[0, 1, 2], cube[3, 4, 4] = 1, 2
    separation = np.linalg.norm(np.argwhere(cube == 1) - np.argwhere(cube == 2))
    for s in range(48):
        turned = apply_symmetry(cube, s)
        assert np.linalg.norm(np.argwhere(turned == 1) - np.argwhere(turned == 2)) == separation


def test_channels_stay_with_their_cells():
    volume = np.random.default_rng(0).integers(0, 9, (4, 4, 4, 1))
    pair = np.concatenate([volume, 10 * volume], axis=-1)
    for s in range(48):
        turned = apply_symmetry(pair, s)
        assert (turned[..., 1] == 10 * turned[..., 0]).all()


def test_what_a_sample_becomes_depends_on_seed_epoch_and_index_alone():
    volumes = np.random.default_rng(1).integers(0, 99, (4, 6, 6, 6, 1)).astype(np.int16)
    indices = np.array([7, 3, 9, 1])
    whole = augment(volumes, 2, indices, seed=5, shift=True)
    halves = [augment(volumes[i : i + 2], 2, indices[i : i + 2], seed=5, shift=True) for i in (0, 2)]
    assert (whole == np.concatenate(halves)).all()
    assert (whole != augment(volumes, 3, indices, seed=5, shift=True)).any()
    assert (np.sort(whole.reshape(4, -1)) == np.sort(volumes.reshape(4, -1))).all()


def test_the_8_of_the_square_differ_and_keep_distances():
    square = np.arange(9).reshape(3, 3)
    assert (
        len({apply_symmetry(square, s, 2).tobytes() for s in range(len(SQUARE_SYMMETRIES))})
        == len(SQUARE_SYMMETRIES)
        == 8
    )
    assert (apply_symmetry(square, 0, 2) == square).all()
    marked = np.zeros((5, 5, 1))
    marked[0, 1], marked[3, 4] = 1, 2
    for s in range(8):
        turned = apply_symmetry(marked, s, 2)[..., 0]
        assert np.linalg.norm(np.argwhere(turned == 1) - np.argwhere(turned == 2)) == np.hypot(3, 3)


def test_maps_are_turned_and_shifted_by_seed_epoch_and_index_alone():
    maps = np.random.default_rng(1).integers(0, 99, (4, 6, 6, 1)).astype(np.int16)
    indices = np.array([7, 3, 9, 1])
    whole = augment(maps, 2, indices, seed=5, shift=True)
    halves = [augment(maps[i : i + 2], 2, indices[i : i + 2], seed=5, shift=True) for i in (0, 2)]
    assert (whole == np.concatenate(halves)).all()
    assert (np.sort(whole.reshape(4, -1)) == np.sort(maps.reshape(4, -1))).all()
