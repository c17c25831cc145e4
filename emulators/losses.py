"""Loss functions with one value per sample, so that weighted sums are the same for any number of ranks.

The masked losses are means over all targets, and missing targets contribute 0. Dividing by the number of known labels
in a batch would make the sum over ranks depend on how the molecules are distributed.
"""

from keras import ops


def gaussian_nll(truth, estimate, scale, beta: float = 0.0):
    """Negative log-likelihood of the truth under independent Gaussians, without the constant term.

    With β > 0 the term of each parameter is weighted by (σ/scale)^2β, through which no gradient flows (β-NLL; Seitzer
    et al. 2022, arXiv:2203.09168). The plain likelihood (β = 0) can stall while a mean is still far from the truth: the
    predicted σ is then large, and the gradient of the mean small.

    Parameters
    ----------
    truth
        True parameters, shape (batch, P), physical units.
    estimate
        Predicted mean and standard deviation, shape (batch, P, 2), physical units.
    scale
        Unit of the standard deviations, P values. It shifts the loss, not its gradient.
    beta
        0 for the likelihood; 1 for the gradient of a squared error with respect to the mean.

    Returns
    -------
    tensor
        Mean over the P parameters of ½((t − μ)/σ)² + ln(σ/scale), shape (batch,).
    """
    sigma = estimate[..., 1]
    residual = (truth - estimate[..., 0]) / sigma
    relative = sigma / ops.convert_to_tensor(scale, sigma.dtype)
    terms = 0.5 * ops.square(residual) + ops.log(relative)
    if beta:
        terms = terms * ops.stop_gradient(relative ** (2 * beta))
    return ops.mean(terms, axis=-1)


def masked_gaussian_nll(truth, mask, estimate, scale, beta: float = 0.0):
    """`gaussian_nll` of the known targets, averaged over ensemble members.

    Parameters
    ----------
    truth
        Targets, shape (batch, T), physical units; any value where missing.
    mask
        1 for known and 0 for missing targets, shape (batch, T).
    estimate
        Predicted mean and standard deviation, shape (batch, T, members, 2), physical units.
    scale
        Unit of the standard deviations: T values, or shape (batch, T) if it differs between molecules.
    beta
        0 for the likelihood, 1 for the gradient of a squared error, as in `gaussian_nll`.

    Returns
    -------
    tensor
        Sum over the known targets, divided by T, shape (batch,).
    """
    sigma = estimate[..., 1]
    known = ops.cast(mask, sigma.dtype)[..., None]
    # a missing target may be NaN: its term must be finite for its gradient to be 0
    residual = known * (ops.where(known > 0, ops.cast(truth, sigma.dtype)[..., None], 0.0) - estimate[..., 0]) / sigma
    relative = sigma / ops.convert_to_tensor(scale, sigma.dtype)[..., None]
    terms = 0.5 * ops.square(residual) + known * ops.log(relative)
    if beta:
        terms = terms * ops.stop_gradient(relative ** (2 * beta))
    return ops.mean(terms, axis=(-2, -1))


def masked_cross_entropy(truth, mask, logits):
    """Cross-entropy [nat] of the known labels, averaged over ensemble members.

    Parameters
    ----------
    truth
        Class codes 0, 1, …, shape (batch, T); any value where missing.
    mask
        1 for known and 0 for missing labels, shape (batch, T).
    logits
        Logits ln p/(1 − p) of class 1, shape (batch, T, members, 1); or the logits of a softmax over C classes, shape
        (batch, T, members, C).

    Returns
    -------
    tensor
        Sum over the known labels, divided by T, shape (batch,).
    """
    known = ops.cast(mask, logits.dtype)[..., None]
    label = ops.where(known > 0, ops.cast(truth, logits.dtype)[..., None], 0.0)
    if logits.shape[-1] > 1:
        one_hot = ops.one_hot(ops.cast(label, "int32"), logits.shape[-1], dtype=logits.dtype)
        cross_entropy = ops.logsumexp(logits, axis=-1) - ops.sum(one_hot * logits, axis=-1)
        return ops.mean(known * cross_entropy, axis=(-2, -1))
    logits = logits[..., 0]
    return ops.mean(known * (ops.softplus(logits) - label * logits), axis=(-2, -1))
