"""The step of both players: penalties one can compute by hand, and the same weights however the batch is shared out."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tenfold.emulators.adversarial import AdversarialTraining, adam, adversarial_step, gradient_norms
from tenfold.emulators.discriminator import build_discriminator
from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.generator_inputs import draw_inputs
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel
from tenfold.emulators.moving_average import MovingAverage

SMALL = {
    "size": 8,
    "latent_dim": 4,
    "filters": (8, 4),
    "critic_filters": (4, 8),
    "style_dim": 4,
    "conditions": 2,
    "group_size": 2,
}
KAPPA = IntensityTransform((-0.01,), (0.01,), (0.8,), (0.7,))
BATCH = 8


def test_the_gradient_of_a_linear_critic_is_its_weights():
    weights = np.random.default_rng(0).standard_normal((4, 4, 1)).astype(np.float32)
    maps = tf.constant(np.random.default_rng(1).standard_normal((3, 4, 4, 1)).astype(np.float32))
    norms = gradient_norms(lambda x: tf.reduce_sum(x * weights, [1, 2, 3]), maps)
    np.testing.assert_allclose(norms, [np.linalg.norm(weights)] * 3, rtol=1e-6)
    # of a square it is 2 ‖x‖, map by map
    norms = gradient_norms(lambda x: tf.reduce_sum(x**2, [1, 2, 3]), maps)
    np.testing.assert_allclose(norms, 2 * np.linalg.norm(np.asarray(maps).reshape(3, -1), axis=1), rtol=1e-6)


def test_a_flat_critic_has_no_gradient_and_its_norm_can_still_be_differentiated():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        paid = tf.reduce_sum(gradient_norms(lambda x: scale * tf.reduce_sum(x, [1, 2, 3]), tf.ones((2, 4, 4, 1))))
    assert np.isfinite(tape.gradient(paid, scale))


class Pair:
    """Two networks, their optimizers, an average, and the step that moves them."""

    def __init__(self, reduce=list, steps: int = 10, **changes):
        training = AdversarialTraining(
            epochs=1, global_batch=BATCH, reference_batch=BATCH, warmup_epochs=0, ema_decay=0.9,
            **{k: v for k, v in changes.items() if k not in vars(GAN(**SMALL))},
        )  # fmt: skip
        self.shape = GAN(**{**SMALL, **{k: v for k, v in changes.items() if k in vars(GAN(**SMALL))}})
        guess = LognormalModel.white_noise(self.shape.size, KAPPA, (0.3, 0.8), (0.1, 0.1))
        self.generator = build_generator(self.shape, guess, seed=2)
        self.discriminator = build_discriminator(self.shape, guess, seed=2)
        rates = (training.learning_rate, training.critic_learning_rate)
        self.optimizers = tuple(adam(training, rate, steps) for rate in rates)
        for optimizer, network in zip(self.optimizers, (self.generator, self.discriminator), strict=True):
            optimizer.build(network.trainable_variables)
        self.average = MovingAverage(self.generator, training.ema_decay)
        self.step = adversarial_step(
            self.generator, self.discriminator, self.optimizers, reduce, training,
            loss="wasserstein" if self.shape.network == "wgan-gp" else "logistic", average=self.average,
        )  # fmt: skip

    def play(self, step: int, places: range = range(BATCH), regularised: bool = True) -> dict[str, float]:
        rng = np.random.default_rng(step)
        maps = (0.02 * np.expm1(rng.standard_normal((BATCH, 8, 8, 1)))).astype(np.float32)
        inputs, mix = draw_inputs(self.shape, (1, step), places)
        inputs["parameters"] = rng.normal(0.5, 0.1, (BATCH, 2)).astype(np.float32)[list(places)]
        weights = np.full(len(places), 1 / BATCH, np.float32)
        figures = self.step((maps[list(places)], inputs, mix, weights, np.array(regularised)))
        return {name: float(value) for name, value in figures.items()}

    def weights(self) -> list[np.ndarray]:
        variables = self.generator.variables + self.discriminator.variables + self.average.means
        return [np.asarray(v) for v in variables]


def test_both_players_move_and_say_how():
    pair = Pair()
    learnt = pair.generator.trainable_variables + pair.discriminator.trainable_variables
    before = [np.asarray(v) for v in learnt]
    pair.play(0)  # the first step opens the U-net's last layer, which begins at zero; the next moves those before
    figures = pair.play(1)
    assert set(figures) == {"loss", "generator_loss", "wasserstein", "penalty", "gradient", "generator_gradient"}
    assert np.isfinite(list(figures.values())).all()
    assert figures["wasserstein"] == pytest.approx(-figures["loss"], rel=1e-5)
    still = [v.path for v, old in zip(learnt, before, strict=True) if not np.abs(np.asarray(v) - old).max() > 0]
    assert not still
    assert int(pair.optimizers[0].iterations) == int(pair.optimizers[1].iterations) == 2


def test_a_step_without_penalty_pays_none():
    pair = Pair()
    assert pair.play(0, regularised=False)["penalty"] == 0
    assert pair.play(1, regularised=True)["penalty"] > 0


class Meeting:
    """A sum over two threads that stand in for ranks."""

    def __init__(self):
        self.barrier, self.brought = threading.Barrier(2, timeout=60), {}

    def reduce(self, rank: int):
        def reduce(tensors):
            self.brought[rank] = list(tensors)
            self.barrier.wait()
            total = [a + b for a, b in zip(self.brought[0], self.brought[1], strict=True)]
            self.barrier.wait()
            return total

        return reduce


@pytest.fixture
def eager():
    """Run tf.functions as plain Python, so that threads can meet within them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"penalty": "r1", "network": "dcgan", "kernel": 5, "penalty_weight": 1.0},
        {"penalty": "none", "network": "dcgan", "spectral_norm": True},
    ],
    ids=["wgan-gp", "dcgan", "spectral norm"],
)
def test_two_halves_of_a_batch_are_one_batch(eager, changes):
    alone, meeting = Pair(**changes), Meeting()
    halves = [Pair(meeting.reduce(rank), **changes) for rank in range(2)]
    figures: dict[int, dict[str, float]] = {}

    def work(rank: int) -> None:
        for step in range(2):
            places = range(rank * BATCH // 2, (rank + 1) * BATCH // 2)
            figures[rank] = halves[rank].play(step, places, changes.get("penalty") != "none")

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for step in range(2):
        whole = alone.play(step, regularised=changes.get("penalty") != "none")
    for thread in threads:
        thread.join()
    for name, value in whole.items():
        assert figures[0][name] == figures[1][name] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    for one, first, second in zip(alone.weights(), halves[0].weights(), halves[1].weights(), strict=True):
        assert (first == second).all()
        np.testing.assert_allclose(first, one, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"penalty_every": 0}, "penalty_every"),
        ({"critic_learning_rate": 0}, "critic_learning_rate"),
        ({"beta_1": 1.0}, "beta_1"),
        ({"validation_maps": 0}, "validation_maps"),
        ({"moment_matching_rate": 0}, "moment_matching_rate"),
        ({"moment_matching_steps": -1}, "moment_matching_steps"),
    ],
)
def test_trainings_that_cannot_be_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        AdversarialTraining(**change)
