"""Moments of numbers that come in parts."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Count, mean, sum of squared deviations, least and largest of numbers; those of two sets give those of both."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: np.ndarray, times: np.ndarray | None = None) -> Self:
        """Moments of an array, summed in double precision; `times` says how often each value is there."""
        apart = values.reshape(-1).astype(np.float64)
        mean = np.average(apart, weights=times)
        apart -= mean
        return cls(
            count=values.size if times is None else int(times.sum()),
            mean=float(mean),
            low=float(values.min()),
            high=float(values.max()),
            squares=float(np.einsum("i,i->", apart, apart) if times is None else times @ apart**2),
        )

    def __add__(self, other: Self) -> Self:
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        return type(self)(
            count=count,
            mean=self.mean + apart * other.count / count,
            squares=self.squares + other.squares + apart**2 * self.count * other.count / count,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )

    @property
    def std(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan
