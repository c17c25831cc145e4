"""Losses: one number per sample, so that any weighting and any number of ranks gives the same sum.

The masked ones are means over all targets, with 0 for the missing: dividing by how many of a batch are known would make
the sum over ranks depend on how molecules are shared out.
"""

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


def masked_gaussian_nll(truth, mask, estimate, scale, beta: float = 0.0):
    """`gaussian_nll` of the targets that are known, mean over an ensemble's members.

    Parameters
    ----------
    truth
        Targets, shape (batch, T), physical units; any number where missing.
    mask
        1 where a target is known and 0 where not, shape (batch, T).
    estimate
        Mean and standard deviation of each, shape (batch, T, members, 2), physical units.
    scale
        Unit the standard deviations are counted in: T values, or (batch, T) where it differs between molecules.
    beta
        0 for the likelihood, 1 for the gradients of a squared error, as in `gaussian_nll`.

    Returns
    -------
    tensor
        Sum over the known targets / T, shape (batch,).
    """
    sigma = estimate[..., 1]
    known = ops.cast(mask, sigma.dtype)[..., None]
    # a missing target may hold anything: its term must be finite for its gradient to be 0
    pull = known * (ops.where(known > 0, ops.cast(truth, sigma.dtype)[..., None], 0.0) - estimate[..., 0]) / sigma
    relative = sigma / ops.convert_to_tensor(scale, sigma.dtype)[..., None]
    terms = 0.5 * ops.square(pull) + known * ops.log(relative)
    if beta:
        terms = terms * ops.stop_gradient(relative ** (2 * beta))
    return ops.mean(terms, axis=(-2, -1))


def masked_cross_entropy(truth, mask, logits):
    """Cross-entropy [nat] of labels that are known, mean over an ensemble's members.

    Parameters
    ----------
    truth
        Labels 0, 1, …, shape (batch, T); any number where missing.
    mask
        1 where a label is known and 0 where not, shape (batch, T).
    logits
        ln p/(1 − p) of the probability of 1, shape (batch, T, members, 1); or logits of a softmax over C classes, shape
        (batch, T, members, C).

    Returns
    -------
    tensor
        Sum over the known labels / T, shape (batch,).
    """
    known = ops.cast(mask, logits.dtype)[..., None]
    label = ops.where(known > 0, ops.cast(truth, logits.dtype)[..., None], 0.0)
    if logits.shape[-1] > 1:
        own = ops.one_hot(ops.cast(label, "int32"), logits.shape[-1], dtype=logits.dtype)
        missed = ops.logsumexp(logits, axis=-1) - ops.sum(own * logits, axis=-1)
        return ops.mean(known * missed, axis=(-2, -1))
    logits = logits[..., 0]
    return ops.mean(known * (ops.softplus(logits) - label * logits), axis=(-2, -1))
