"""Order of the samples: a keyed permutation for every epoch, divided among ranks.

No list of indices is stored or sent. Every rank computes the positions it needs from (seed, epoch, position), so the
order takes no memory, can be resumed anywhere, and does not depend on the number of ranks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ROUNDS = 12  # generous, since permutations of a few samples have halves of one or two bits


@dataclass(frozen=True)
class Order:
    """Pseudo-random order of `count` samples, different in every epoch.

    A Feistel network over the smallest power of two that is at least `count`, with cycle walking (Black & Rogaway,
    "Ciphers with arbitrary finite domains", CT-RSA 2002). It is a permutation by construction for every key.
    """

    count: int
    """Number of samples."""
    seed: int
    """Key of the permutation, at least 0."""

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"count: found {self.count} samples, must be at least 1.")
        if self.seed < 0:
            raise ValueError(f"seed: found {self.seed}, must be an integer >= 0.")

    def epoch(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        """Samples at `positions` (any shape, 0 <= position < count) in the order of an epoch; int64, same shape."""
        positions = np.asarray(positions)
        if positions.size and (positions.min() < 0 or positions.max() >= self.count):
            raise ValueError(f"positions: {positions.min()} to {positions.max()}, must lie in 0 to {self.count - 1}.")
        bits = (self.count - 1).bit_length()
        keys = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS, np.uint64)
        indices = _feistel(positions.astype(np.uint64).ravel(), bits, keys)
        outside = np.flatnonzero(indices >= self.count)
        while outside.size:
            indices[outside] = _feistel(indices[outside], bits, keys)
            outside = outside[indices[outside] >= self.count]
        return indices.astype(np.int64).reshape(positions.shape)


def steps_per_epoch(count: int, global_batch: int) -> int:
    """Number of steps of an epoch; the last step may have fewer samples."""
    return -(-count // global_batch)


def batches(
    count: int, global_batch: int, seed: int, epoch: int, rank: int = 0, size: int = 1, start: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (step, samples) of one rank, from step `start` of the epoch to its end; samples are int64, shape (n,).

    Step `s` takes the positions from s * global_batch of the epoch's order, and its ranks take contiguous parts of
    them. The batch of a step therefore does not depend on `size`, and every sample is seen exactly once per epoch. If a
    batch is not divisible by `size`, the parts differ by one sample. In a smaller last batch a rank may get no samples,
    but every rank takes part in every step.

    Raises
    ------
    ValueError
        `global_batch`, `rank`, `size` or `start` is out of range.
    """
    order = Order(count, seed)
    if global_batch < 1:
        raise ValueError(f"global_batch: found {global_batch}, must be an integer >= 1.")
    steps = steps_per_epoch(count, global_batch)
    if not 0 <= rank < size:
        raise ValueError(f"rank: found {rank} of {size} ranks, must lie in 0 to size - 1.")
    if not 0 <= start <= steps:
        raise ValueError(f"start: found step {start} of {steps}, must lie in 0 to {steps}.")
    return _batches(order, global_batch, epoch, rank, size, range(start, steps))


def _batches(
    order: Order, global_batch: int, epoch: int, rank: int, size: int, steps: range
) -> Iterator[tuple[int, np.ndarray]]:
    for step in steps:
        first = step * global_batch
        samples = min(global_batch, order.count - first)
        positions = np.arange(first + rank * samples // size, first + (rank + 1) * samples // size)
        yield step, order.epoch(epoch, positions)


def _feistel(values: np.ndarray, bits: int, keys: np.ndarray) -> np.ndarray:
    """Permute uint64 values (n,) of `bits` bits. Halves of unequal width alternate instead of being swapped."""
    low_bits = np.uint64(bits // 2)
    low_mask = np.uint64((1 << (bits // 2)) - 1)
    high_mask = np.uint64((1 << (bits - bits // 2)) - 1)
    low, high = values & low_mask, values >> low_bits
    for index, key in enumerate(keys):
        if index % 2:
            low = low ^ (_mix(high ^ key) & low_mask)
        else:
            high = high ^ (_mix(low ^ key) & high_mask)
    return (high << low_bits) | low


def _mix(values: np.ndarray) -> np.ndarray:
    """Hash uint64 values by the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), upper half."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values >> np.uint64(33)
