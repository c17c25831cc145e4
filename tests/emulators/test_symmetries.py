"""The 48 symmetries of the cube and the 8 of the square preserve the content of boxes and maps."""

import numpy as np

from tenfold.emulators.symmetries import CUBE_SYMMETRIES, SQUARE_SYMMETRIES, apply_symmetry, augment


def test_the_48_symmetries_of_the_cube_differ_and_the_first_is_the_identity():
    cube = np.arange(27).reshape(3, 3, 3)
    orientations = {apply_symmetry(cube, s).tobytes() for s in range(len(CUBE_SYMMETRIES))}
    assert len(orientations) == 48
    assert (apply_symmetry(cube, 0) == cube).all()


def test_the_symmetries_of_the_cube_form_a_group():
    cube = np.arange(27).reshape(3, 3, 3)
    orientations = {np.ascontiguousarray(apply_symmetry(cube, s)).tobytes() for s in range(48)}
    for a in (5, 17, 46):
        for b in (11, 33):
            assert np.ascontiguousarray(apply_symmetry(apply_symmetry(cube, a), b)).tobytes() in orientations


def test_symmetries_preserve_distances_between_cells():
    cube = np.zeros((5, 5, 5))
    cube[0, 1, 2], cube[3, 4, 4] = 1, 2
    separation = np.linalg.norm(np.argwhere(cube == 1) - np.argwhere(cube == 2))
    for s in range(48):
        oriented = apply_symmetry(cube, s)
        assert np.linalg.norm(np.argwhere(oriented == 1) - np.argwhere(oriented == 2)) == separation


def test_channels_stay_with_their_cells():
    volume = np.random.default_rng(0).integers(0, 9, (4, 4, 4, 1))
    pair = np.concatenate([volume, 10 * volume], axis=-1)
    for s in range(48):
        oriented = apply_symmetry(pair, s)
        assert (oriented[..., 1] == 10 * oriented[..., 0]).all()


def test_augmentation_of_volumes_depends_only_on_seed_epoch_and_index():
    volumes = np.random.default_rng(1).integers(0, 99, (4, 6, 6, 6, 1)).astype(np.int16)
    indices = np.array([7, 3, 9, 1])
    batch = augment(volumes, 2, indices, seed=5, shift=True)
    halves = [augment(volumes[i : i + 2], 2, indices[i : i + 2], seed=5, shift=True) for i in (0, 2)]
    assert (batch == np.concatenate(halves)).all()
    assert (batch != augment(volumes, 3, indices, seed=5, shift=True)).any()
    assert (np.sort(batch.reshape(4, -1)) == np.sort(volumes.reshape(4, -1))).all()


def test_the_8_symmetries_of_the_square_differ_and_preserve_distances():
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
        oriented = apply_symmetry(marked, s, 2)[..., 0]
        assert np.linalg.norm(np.argwhere(oriented == 1) - np.argwhere(oriented == 2)) == np.hypot(3, 3)


def test_augmentation_of_maps_depends_only_on_seed_epoch_and_index():
    maps = np.random.default_rng(1).integers(0, 99, (4, 6, 6, 1)).astype(np.int16)
    indices = np.array([7, 3, 9, 1])
    batch = augment(maps, 2, indices, seed=5, shift=True)
    halves = [augment(maps[i : i + 2], 2, indices[i : i + 2], seed=5, shift=True) for i in (0, 2)]
    assert (batch == np.concatenate(halves)).all()
    assert (np.sort(batch.reshape(4, -1)) == np.sort(maps.reshape(4, -1))).all()
