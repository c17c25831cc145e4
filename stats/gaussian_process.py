"""Gaussian process regression with one length scale per feature, its scales found by marginal likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack
from scipy.optimize import minimize

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Covariance k(x, x') = curved · exp(−½ Σ ((x − x')/scale)²) + straight · x·x'/F, and noise on the diagonal."""

    curved: float
    straight: float
    noise: float
    scale: Array
    """(F,) length scale of every feature."""

    def covariance(self, x: Array, other: Array) -> Array:
        """Return the covariance of two sets of points, (n, F) and (m, F): (n, m), without the noise."""
        return self.curved * _gauss(x / self.scale, other / self.scale) + self.straight / x.shape[1] * (x @ other.T)


@dataclass(frozen=True)
class GaussianProcess:
    """A process conditioned on points: call it with (m, F) features for the (m,) expected values."""

    kernel: Kernel
    points: Array
    weights: Array

    def __call__(self, x: Array) -> Array:
        """Return the expected values at x."""
        return self.kernel.covariance(x, self.points) @ self.weights


def condition(kernel: Kernel, x: Array, y: Array) -> GaussianProcess:
    """Condition a process of zero mean on n points.

    Parameters
    ----------
    kernel
        Covariance of the process and its noise.
    x, y
        (n, F) features and (n,) values.
    """
    covariance = kernel.covariance(x, x)
    covariance[np.diag_indices_from(covariance)] += kernel.noise
    return GaussianProcess(kernel, x, cho_solve(cho_factor(covariance, lower=True, overwrite_a=True), y))


def likeliest(x: Array, y: Array, *, start: Kernel | None = None, isotropic: bool, steps: int = 100) -> Kernel:
    """Find the kernel with the greatest marginal likelihood (Rasmussen & Williams 2006, chapter 5).

    A wide log-normal prior (a factor e to either side is one sigma) around the median distance of the points keeps
    the scale of a feature that says nothing from running away.

    Parameters
    ----------
    x, y
        (n, F) features and (n,) values, both standardised.
    start
        Kernel to start from; by default a wide one.
    isotropic
        One scale for all features instead of one each.
    steps
        Most steps of the optimiser.
    """
    features = x.shape[1]
    centre = np.log(3 * np.sqrt(features))
    if start is None:
        start = Kernel(curved=1.0, straight=1.0, noise=0.1, scale=np.full(features, np.exp(centre)))
    scales = np.full(1, np.log(start.scale).mean()) if isotropic else np.log(start.scale)
    first = np.concatenate([np.log([start.curved, start.straight, start.noise]), scales])
    linear = x @ x.T / features

    def cost(theta: Array) -> tuple[float, Array]:
        curved, straight, noise = np.exp(theta[:3])
        scale = np.exp(np.broadcast_to(theta[3:], features))
        bend = curved * _gauss(x / scale, x / scale)
        covariance = bend + straight * linear
        covariance[np.diag_indices_from(covariance)] += noise
        lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
        if failed:
            return np.inf, np.zeros_like(theta)
        inverse = lapack.dpotri(lower, lower=1)[0]
        inverse = inverse + inverse.T  # the upper half is empty
        inverse[np.diag_indices_from(inverse)] *= 0.5
        weights = inverse @ y
        slope = inverse - np.outer(weights, weights)
        bent = slope * bend
        # Σ_ik bent_ik (x_ij − x_kj)², for every feature j by one product
        stretch = (bent.sum(1) @ x**2 - np.einsum("ij,ij->j", x, bent @ x)) / scale**2
        if isotropic:
            stretch = stretch.sum(keepdims=True)
        off = theta[3:] - centre
        value = 0.5 * y @ weights + np.log(np.diag(lower)).sum() + 0.5 * (off**2).sum()
        level = 0.5 * np.array([bent.sum(), straight * np.vdot(slope, linear), noise * np.trace(slope)])
        return float(value), np.concatenate([level, stretch + off])

    bounds = [(-12, 8), (-12, 8), (-14, 2)] + [(-2, centre + 5)] * len(scales)
    best = minimize(cost, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}).x
    curved, straight, noise = (float(value) for value in np.exp(best[:3]))
    scale = np.exp(np.broadcast_to(best[3:], features))
    return Kernel(curved=curved, straight=straight, noise=noise, scale=scale)


def _gauss(x: Array, other: Array) -> Array:
    """Return exp(−½ |x − other|²), (n, m)."""
    exponent = x @ other.T
    exponent -= 0.5 * (x**2).sum(1)[:, None]
    exponent -= 0.5 * (other**2).sum(1)
    return np.exp(np.minimum(exponent, 0, out=exponent), out=exponent)
