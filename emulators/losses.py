"""Losses: one number per sample, so that any weighting and any number of ranks gives the same sum."""

from keras import ops


def gaussian_nll(truth, estimate, scale):
    """Negative log-likelihood of the truth under independent Gaussians, without its constant.

    Parameters
    ----------
    truth
        Parameters, shape (batch, P), physical units.
    estimate
        Mean and standard deviation of each, shape (batch, P, 2), physical units.
    scale
        Unit the standard deviations are counted in (P values); it shifts the loss, not its gradient.

    Returns
    -------
    tensor
        Mean over the P parameters of ½((t − μ)/σ)² + ln(σ/scale), shape (batch,).
    """
    sigma = estimate[..., 1]
    pull = (truth - estimate[..., 0]) / sigma
    return ops.mean(0.5 * ops.square(pull) + ops.log(sigma / ops.convert_to_tensor(scale, sigma.dtype)), axis=-1)


def squared_error(truth, estimate, scale):
    """Mean over the parameters of ((t − μ)/scale)², shape (batch,); arguments as in `gaussian_nll`."""
    error = (truth - estimate[..., 0]) / ops.convert_to_tensor(scale, truth.dtype)
    return ops.mean(ops.square(error), axis=-1)
