"""Losses: one number per sample, so that any weighting and any number of ranks gives the same sum."""

from keras import ops


def gaussian_nll(truth, estimate, scale, beta: float = 0.0):
    """Negative log-likelihood of the truth under independent Gaussians, without its constant.

    With β > 0 each parameter's term is weighted by (σ/scale)^2β, a weight that no gradient runs through (Seitzer et al.
    2022, arXiv:2203.09168). Plain likelihood (β = 0) stops learning a mean that is still far off: it states a large σ,
    and that makes the mean's gradient small.

    Parameters
    ----------
    truth
        Parameters, shape (batch, P), physical units.
    estimate
        Mean and standard deviation of each, shape (batch, P, 2), physical units.
    scale
        Unit the standard deviations are counted in (P values); it shifts the loss, not its gradient.
    beta
        0 for the likelihood, 1 for the gradients of a squared error.

    Returns
    -------
    tensor
        Mean over the P parameters of ½((t − μ)/σ)² + ln(σ/scale), shape (batch,).
    """
    sigma = estimate[..., 1]
    pull = (truth - estimate[..., 0]) / sigma
    relative = sigma / ops.convert_to_tensor(scale, sigma.dtype)
    terms = 0.5 * ops.square(pull) + ops.log(relative)
    if beta:
        terms = terms * ops.stop_gradient(relative ** (2 * beta))
    return ops.mean(terms, axis=-1)
