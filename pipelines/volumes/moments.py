"""Moments of a set of numbers, as mergeable sums."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Count, mean, sum of squared deviations, minimum and maximum of a set of numbers; two sets merge by ``+``."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: np.ndarray, counts: np.ndarray | None = None) -> Self:
        """Return the moments of an array, summed in double precision; `counts` are the multiplicities of its values."""
        deviation = values.reshape(-1).astype(np.float64)
        mean = np.average(deviation, weights=counts)
        deviation -= mean
        return cls(
            count=values.size if counts is None else int(counts.sum()),
            mean=float(mean),
            low=float(values.min()),
            high=float(values.max()),
            squares=float(np.einsum("i,i->", deviation, deviation) if counts is None else counts @ deviation**2),
        )

    def __add__(self, other: Self) -> Self:
        count = self.count + other.count
        if not count:
            return self
        difference = other.mean - self.mean
        return type(self)(
            count=count,
            mean=self.mean + difference * other.count / count,
            squares=self.squares + other.squares + difference**2 * self.count * other.count / count,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )

    @property
    def std(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan
