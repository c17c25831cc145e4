"""Mean and covariance of rows of statistics, accumulated in sums that can be merged across chunks."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RowMean:
    """Mean of a set of rows.

    Attributes
    ----------
    count
        Number of rows.
    mean
        Shape (columns,).
    """

    count: int
    mean: np.ndarray


@dataclass(frozen=True)
class Covariance(RowMean):
    """Mean and covariance of a set of rows.

    Attributes
    ----------
    covariance
        Unbiased covariance of a row, shape (columns, columns).
    """

    covariance: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviation of a row, shape (columns,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def standard_error(self) -> np.ndarray:
        """Standard error of the mean, shape (columns,)."""
        return self.sigma / np.sqrt(self.count)

    @property
    def correlation(self) -> np.ndarray:
        """Correlation coefficients, shape (columns, columns); NaN where a column does not vary."""
        scale = np.outer(self.sigma, self.sigma)
        return np.divide(self.covariance, scale, out=np.full_like(scale, np.nan), where=scale > 0)


@dataclass(frozen=True)
class Moments(RowMean):
    """Count, mean and centred second moments of rows, merged by the update of Chan, Golub & LeVeque (1979).

    Attributes
    ----------
    products
        Sum of (row − mean)(row − mean)ᵀ, shape (columns, columns).
    """

    products: np.ndarray

    @classmethod
    def empty(cls, columns: int) -> "Moments":
        """Moments of an empty set of rows."""
        return cls(0, np.zeros(columns), np.zeros((columns, columns)))

    @classmethod
    def of(cls, rows: np.ndarray) -> "Moments":
        """Compute the moments of rows, shape (rows, columns).

        Raises
        ------
        ValueError
            The rows are not two-dimensional, or a value is not finite.
        """
        rows = np.asarray(rows, np.float64)
        if rows.ndim != 2:
            raise ValueError(f"rows: shape (rows, columns) is needed, found {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"rows: not finite in row {int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])}")
        if not len(rows):
            return cls.empty(rows.shape[1])
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(len(rows), mean, centred.T @ centred)

    def add(self, rows: np.ndarray) -> "Moments":
        """Add rows, shape (rows, columns)."""
        return self.merge(Moments.of(rows))

    def merge(self, other: "Moments") -> "Moments":
        """Merge with the moments of another set of rows.

        Raises
        ------
        ValueError
            The numbers of columns differ.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"moments of {len(self.mean)} columns cannot be merged with moments of {len(other.mean)}")
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        difference = other.mean - self.mean
        return Moments(
            count,
            self.mean + difference * (other.count / count),
            self.products + other.products + np.outer(difference, difference) * (self.count * other.count / count),
        )

    def finalise(self) -> Covariance:
        """Return the mean and the covariance.

        Raises
        ------
        ValueError
            There are fewer than two rows.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 rows, found {self.count}")
        return Covariance(self.count, self.mean, self.products / (self.count - 1))
