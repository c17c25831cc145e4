"""Which sample is seen when: a keyed permutation of the samples for every epoch, shared out between ranks.

No list of indices is kept or sent: every rank computes the places it needs from (seed, epoch, place), so that the order
takes no memory, can be resumed anywhere, and does not depend on how many ranks read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ROUNDS = 12  # generous: permutations of a handful of samples have halves of one or two bits


@dataclass(frozen=True)
class Order:
    """A pseudo-random order of `count` samples, another one in every epoch.

    A Feistel network over the smallest power of two that holds `count`, walked until it falls below `count` (Black &
    Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002): a permutation by construction, whatever the key.
    """

    count: int
    """Number of samples."""
    seed: int
    """Key of the order, >= 0."""

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"count: {self.count} samples; an order needs at least 1.")
        if self.seed < 0:
            raise ValueError(f"seed: {self.seed}; valid are integers >= 0.")

    def epoch(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        """Return the samples at `positions` (any shape, 0 <= position < count) of the epoch's order, int64."""
        positions = np.asarray(positions)
        if positions.size and (positions.min() < 0 or positions.max() >= self.count):
            raise ValueError(f"positions: {positions.min()} to {positions.max()}; valid are 0 to {self.count - 1}.")
        bits = (self.count - 1).bit_length()
        keys = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS, np.uint64)
        indices = _feistel(positions.astype(np.uint64).ravel(), bits, keys)
        outside = np.flatnonzero(indices >= self.count)
        while outside.size:
            indices[outside] = _feistel(indices[outside], bits, keys)
            outside = outside[indices[outside] >= self.count]
        return indices.astype(np.int64).reshape(positions.shape)


def steps_per_epoch(count: int, global_batch: int) -> int:
    """Return the number of steps in which `count` samples are seen once, the last one possibly with fewer samples."""
    return -(-count // global_batch)


def batches(
    count: int, global_batch: int, seed: int, epoch: int, rank: int = 0, size: int = 1, start: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (step, samples (n,) int64) of one rank, from step `start` of the epoch to its end.

    Step `s` sees the places s * global_batch ... of the epoch's order; its ranks take neighbouring parts of it. So the
    batch of a step does not depend on `size`, and every sample is seen exactly once an epoch. Where a batch does not
    divide by `size`, the parts differ by one; in a last, smaller batch a rank may get none, but always gets its turn.

    Raises
    ------
    ValueError
        If `global_batch`, `rank`, `size` or `start` cannot be.
    """
    order = Order(count, seed)
    if global_batch < 1:
        raise ValueError(f"global_batch: {global_batch}; valid are integers >= 1.")
    steps = steps_per_epoch(count, global_batch)
    if not 0 <= rank < size:
        raise ValueError(f"rank: {rank} of {size} ranks; valid are 0 to size - 1.")
    if not 0 <= start <= steps:
        raise ValueError(f"start: step {start} of {steps}; valid are 0 to {steps}.")
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
    """Permute values (n,) uint64 of `bits` bits; halves of unequal width take turns, so nothing is swapped."""
    low_bits = np.uint64(bits // 2)
    low_mask = np.uint64((1 << (bits // 2)) - 1)
    high_mask = np.uint64((1 << (bits - bits // 2)) - 1)
    low, high = values & low_mask, values >> low_bits
    for turn, key in enumerate(keys):
        if turn % 2:
            low = low ^ (_mix(high ^ key) & low_mask)
        else:
            high = high ^ (_mix(low ^ key) & high_mask)
    return (high << low_bits) | low


def _mix(values: np.ndarray) -> np.ndarray:
    """Scramble uint64 values: the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), upper half."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values >> np.uint64(33)
