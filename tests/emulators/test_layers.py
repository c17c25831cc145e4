"""Sums and means over blocks of cells."""

import keras
import numpy as np
import pytest

from tenfold.emulators.layers import BlockMean, block_sums


def test_block_sums_of_a_map_one_can_check_by_hand():
    field = np.arange(16.0, dtype=np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(block_sums(field, 2)[0, :, :, 0], [[0 + 1 + 4 + 5, 2 + 3 + 6 + 7], [42, 50]])


def test_block_sums_of_counts_are_exact_and_keep_their_channels():
    counts = np.random.default_rng(0).poisson(3, (2, 6, 9, 12, 2)).astype(np.float32)
    expected = counts.reshape(2, 2, 3, 3, 3, 4, 3, 2).sum((2, 4, 6))
    np.testing.assert_array_equal(block_sums(counts, 3), expected)
    assert block_sums(counts, 1) is counts


@pytest.mark.parametrize(
    ("pooling", "shape"), [("AveragePooling2D", (3, 4, 6, 5)), ("AveragePooling3D", (3, 4, 6, 8, 5))]
)
def test_block_means_are_average_pooling(pooling, shape):
    fields = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(BlockMean(2)(fields), getattr(keras.layers, pooling)(2)(fields), rtol=1e-5, atol=1e-6)
