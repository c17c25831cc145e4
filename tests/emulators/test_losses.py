"""Loss functions against values computed by hand, and the minimum of the likelihood at the true scatter."""

import numpy as np

from tenfold.emulators.losses import gaussian_nll, masked_cross_entropy, masked_gaussian_nll


def _estimate(mean, sigma):
    return np.stack([np.array(mean, np.float32), np.array(sigma, np.float32)], axis=-1)


def test_gaussian_nll_by_hand():
    loss = gaussian_nll(np.float32([[1.0, 3.0]]), _estimate([[0.0, 3.0]], [[1.0, 2.0]]), [1.0, 1.0])
    np.testing.assert_allclose(np.asarray(loss), [(0.5 + np.log(2)) / 2], rtol=1e-6)


def test_beta_1_gives_the_mean_the_gradient_of_a_squared_error():
    import tensorflow as tf

    truth = np.float32([[1.0], [-2.0]])
    for sigma in (0.1, 3.0):
        estimate = tf.Variable(_estimate([[0.5], [0.0]], [[sigma], [sigma]]))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(gaussian_nll(truth, estimate, [1.0], beta=1.0))
        slope = np.asarray(tape.gradient(loss, estimate))[..., 0]
        np.testing.assert_allclose(slope, [[-0.5], [2.0]], rtol=1e-5)


def test_the_likelihood_is_minimal_at_the_true_scatter():
    truth = np.random.default_rng(0).normal(0, 0.3, (20000, 1)).astype(np.float32)
    sigmas = np.array([0.1, 0.2, 0.3, 0.4, 0.6])
    mean = np.zeros_like(truth)
    losses = [float(np.mean(gaussian_nll(truth, _estimate(mean, mean + s), [1.0]))) for s in sigmas]
    assert sigmas[int(np.argmin(losses))] == 0.3


def test_the_loss_has_one_value_per_sample():
    assert gaussian_nll(np.zeros((5, 3), np.float32), _estimate(np.zeros((5, 3)), np.ones((5, 3))), [1] * 3).shape == (
        5,
    )


def test_missing_targets_contribute_nothing():
    truth = np.array([[1.0, np.nan], [2.0, 3.0]], np.float32)
    estimate = _estimate([[0.5, 9.0], [2.5, 1.0]], [[0.7, 1.0], [0.9, 2]])
    mask = np.isfinite(truth)
    loss = np.asarray(masked_gaussian_nll(truth, mask, estimate[:, :, None], [1.0, 1.0]))
    single = np.asarray(gaussian_nll(truth[:1, :1], estimate[:1, :1], [1.0]))
    np.testing.assert_allclose(loss[0], single[0] / 2, rtol=1e-6)
    np.testing.assert_allclose(loss[1], np.asarray(gaussian_nll(truth[1:], estimate[1:], [1.0, 1.0]))[0], rtol=1e-6)


def test_ensemble_members_are_averaged():
    truth, mask = np.ones((1, 1)), np.ones((1, 1))
    one, other = _estimate([[[0.0]]], [[[1.0]]]), _estimate([[[3.0]]], [[[2.0]]])
    both = masked_gaussian_nll(truth, mask, np.concatenate([one, other], axis=2), [1.0])
    apart = [np.asarray(masked_gaussian_nll(truth, mask, part, [1.0])) for part in (one, other)]
    np.testing.assert_allclose(np.asarray(both), np.mean(apart, axis=0), rtol=1e-6)


def test_cross_entropy_by_hand_and_for_large_logits():
    logits = np.array([[0.0, 2.0, -300.0, 300.0]], np.float32)[..., None, None]
    truth = np.array([[1.0, 0.0, np.nan, 1.0]])
    loss = np.asarray(masked_cross_entropy(truth, np.isfinite(truth), logits))
    np.testing.assert_allclose(loss, [(np.log(2) + np.log1p(np.exp(2)) + 0) / 4], rtol=1e-6)


def test_cross_entropy_of_three_classes_by_hand():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], np.float32))[:, None, None]
    loss = np.asarray(masked_cross_entropy(np.array([[1.0], [2.0]]), np.ones((2, 1)), logits))
    np.testing.assert_allclose(loss, [np.log(4), -np.log(0.7)], rtol=1e-5)
    assert np.asarray(masked_cross_entropy(np.array([[1.0], [np.nan]]), np.array([[1], [0]]), logits))[1] == 0


def test_a_softmax_over_two_classes_has_the_cross_entropy_of_one_logit():
    logit = np.linspace(-3, 3, 7, dtype=np.float32)[:, None, None]
    truth, mask = np.array([0, 1] * 4, np.float32)[:7, None], np.ones((7, 1))
    both = np.stack([np.zeros_like(logit), logit, np.full_like(logit, -1e9)], axis=-1)  # a third, absent class
    np.testing.assert_allclose(
        np.asarray(masked_cross_entropy(truth, mask, both)),
        np.asarray(masked_cross_entropy(truth, mask, logit[..., None])),
        rtol=1e-5,
    )
