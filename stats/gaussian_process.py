"""Gaussian process regression with one length scale per feature, fitted by maximum marginal likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack
from scipy.optimize import minimize

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Sum of an RBF kernel, a linear kernel and white noise.

    k(x, x') = rbf_variance · exp(−½ Σ ((x − x')/length_scale)²) + linear_variance · x·x'/F, with noise_variance on the
    diagonal.
    """

    rbf_variance: float
    linear_variance: float
    noise_variance: float
    length_scale: Array
    """Length scale of each feature, shape (F,)."""

    def covariance(self, x: Array, other: Array) -> Array:
        """Covariance of two sets of points, shapes (n, F) and (m, F), without noise; shape (n, m)."""
        rbf = _rbf(x / self.length_scale, other / self.length_scale)
        return self.rbf_variance * rbf + self.linear_variance / x.shape[1] * (x @ other.T)


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process conditioned on data."""

    kernel: Kernel
    points: Array
    weights: Array

    def __call__(self, x: Array) -> Array:
        """Posterior mean at features x, shape (m, F); returns shape (m,)."""
        return self.kernel.covariance(x, self.points) @ self.weights


def condition(kernel: Kernel, x: Array, y: Array) -> GaussianProcess:
    """Condition a zero-mean Gaussian process on n points.

    Parameters
    ----------
    kernel
        Covariance function and noise.
    x, y
        Features, shape (n, F), and values, shape (n,).
    """
    covariance = kernel.covariance(x, x)
    covariance[np.diag_indices_from(covariance)] += kernel.noise_variance
    return GaussianProcess(kernel, x, cho_solve(cho_factor(covariance, lower=True, overwrite_a=True), y))


def fit_kernel(x: Array, y: Array, *, start: Kernel | None = None, isotropic: bool, steps: int = 100) -> Kernel:
    """Fit a kernel by maximum marginal likelihood (Rasmussen & Williams 2006, chapter 5).

    A log-normal prior with a standard deviation of a factor e, centred on 3 √F, keeps the length scale of an
    uninformative feature finite.

    Parameters
    ----------
    x, y
        Features, shape (n, F), and values, shape (n,), both standardised.
    start
        Kernel at which the optimisation starts; by default one with wide length scales.
    isotropic
        Whether all features share one length scale.
    steps
        Largest number of iterations of the optimiser.
    """
    features = x.shape[1]
    centre = np.log(3 * np.sqrt(features))
    if start is None:
        start = Kernel(
            rbf_variance=1.0,
            linear_variance=1.0,
            noise_variance=0.1,
            length_scale=np.full(features, np.exp(centre)),
        )
    scales = np.full(1, np.log(start.length_scale).mean()) if isotropic else np.log(start.length_scale)
    first = np.concatenate([np.log([start.rbf_variance, start.linear_variance, start.noise_variance]), scales])
    linear = x @ x.T / features

    def cost(theta: Array) -> tuple[float, Array]:
        rbf_variance, linear_variance, noise_variance = np.exp(theta[:3])
        scale = np.exp(np.broadcast_to(theta[3:], features))
        rbf = rbf_variance * _rbf(x / scale, x / scale)
        covariance = rbf + linear_variance * linear
        covariance[np.diag_indices_from(covariance)] += noise_variance
        lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
        if failed:
            return np.inf, np.zeros_like(theta)
        inverse = lapack.dpotri(lower, lower=1)[0]
        inverse = inverse + inverse.T  # dpotri fills the lower triangle only
        inverse[np.diag_indices_from(inverse)] *= 0.5
        weights = inverse @ y
        gradient = inverse - np.outer(weights, weights)
        weighted = gradient * rbf
        # Σ_ik weighted_ik (x_ij − x_kj)², for every feature j in one product
        scale_gradient = (weighted.sum(1) @ x**2 - np.einsum("ij,ij->j", x, weighted @ x)) / scale**2
        if isotropic:
            scale_gradient = scale_gradient.sum(keepdims=True)
        deviation = theta[3:] - centre
        value = 0.5 * y @ weights + np.log(np.diag(lower)).sum() + 0.5 * (deviation**2).sum()
        variance_gradient = 0.5 * np.array(
            [weighted.sum(), linear_variance * np.vdot(gradient, linear), noise_variance * np.trace(gradient)]
        )
        return float(value), np.concatenate([variance_gradient, scale_gradient + deviation])

    bounds = [(-12, 8), (-12, 8), (-14, 2)] + [(-2, centre + 5)] * len(scales)
    best = minimize(cost, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}).x
    rbf_variance, linear_variance, noise_variance = (float(value) for value in np.exp(best[:3]))
    scale = np.exp(np.broadcast_to(best[3:], features))
    return Kernel(
        rbf_variance=rbf_variance, linear_variance=linear_variance, noise_variance=noise_variance, length_scale=scale
    )


def _rbf(x: Array, other: Array) -> Array:
    """exp(−½ |x − other|²) of points (n, F) and (m, F), shape (n, m)."""
    exponent = x @ other.T
    exponent -= 0.5 * (x**2).sum(1)[:, None]
    exponent -= 0.5 * (other**2).sum(1)
    return np.exp(np.minimum(exponent, 0, out=exponent), out=exponent)
