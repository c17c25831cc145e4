"""Adversarial step: gradient penalties computed by hand, and weights that do not depend on the number of ranks."""

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

pytestmark = pytest.mark.slow

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
    # the gradient of ‖x‖² is 2 x, map by map
    norms = gradient_norms(lambda x: tf.reduce_sum(x**2, [1, 2, 3]), maps)
    np.testing.assert_allclose(norms, 2 * np.linalg.norm(np.asarray(maps).reshape(3, -1), axis=1), rtol=1e-6)


def test_a_flat_critic_has_no_gradient_and_its_norm_can_still_be_differentiated():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        penalty = tf.reduce_sum(gradient_norms(lambda x: scale * tf.reduce_sum(x, [1, 2, 3]), tf.ones((2, 4, 4, 1))))
    assert np.isfinite(tape.gradient(penalty, scale))


class SmallGAN:
    """Generator, discriminator, their optimizers, a moving average, and the adversarial step."""

    def __init__(self, reduce=list, steps: int = 10, **changes):
        architecture_keys = vars(GAN(**SMALL))
        training = AdversarialTraining(
            epochs=1, global_batch=BATCH, reference_batch=BATCH, warmup_epochs=0, ema_decay=0.9,
            **{k: v for k, v in changes.items() if k not in architecture_keys},
        )  # fmt: skip
        self.architecture = GAN(**{**SMALL, **{k: v for k, v in changes.items() if k in architecture_keys}})
        model = LognormalModel.white_noise(self.architecture.size, KAPPA, (0.3, 0.8), (0.1, 0.1))
        self.generator = build_generator(self.architecture, model, seed=2)
        self.discriminator = build_discriminator(self.architecture, model, seed=2)
        rates = (training.learning_rate, training.critic_learning_rate)
        self.optimizers = tuple(adam(training, rate, steps) for rate in rates)
        for optimizer, network in zip(self.optimizers, (self.generator, self.discriminator), strict=True):
            optimizer.build(network.trainable_variables)
        self.average = MovingAverage(self.generator, training.ema_decay)
        self.step = adversarial_step(
            self.generator, self.discriminator, self.optimizers, reduce, training,
            loss="wasserstein" if self.architecture.network == "wgan-gp" else "logistic", average=self.average,
        )  # fmt: skip

    def train(self, step: int, indices: range = range(BATCH), penalised: bool = True) -> dict[str, float]:
        rng = np.random.default_rng(step)
        maps = (0.02 * np.expm1(rng.standard_normal((BATCH, 8, 8, 1)))).astype(np.float32)
        inputs, interpolation = draw_inputs(self.architecture, (1, step), indices)
        inputs["parameters"] = rng.normal(0.5, 0.1, (BATCH, 2)).astype(np.float32)[list(indices)]
        weights = np.full(len(indices), 1 / BATCH, np.float32)
        figures = self.step((maps[list(indices)], inputs, interpolation, weights, np.array(penalised)))
        return {name: float(value) for name, value in figures.items()}

    def weights(self) -> list[np.ndarray]:
        variables = self.generator.variables + self.discriminator.variables + self.average.means
        return [np.asarray(v) for v in variables]


@pytest.fixture(scope="module")
def gan() -> SmallGAN:
    """Networks whose step is compiled once for all tests that take it."""
    return SmallGAN()


def test_a_step_changes_every_weight_of_both_networks(gan):
    trainable = gan.generator.trainable_variables + gan.discriminator.trainable_variables
    before = [np.asarray(v) for v in trainable]
    steps = [int(optimizer.iterations) for optimizer in gan.optimizers]
    gan.train(0)  # the U-net's last layer starts at zero: only the second step has gradients for the layers before it
    figures = gan.train(1)
    assert set(figures) == {"loss", "generator_loss", "wasserstein", "penalty", "gradient", "generator_gradient"}
    assert np.isfinite(list(figures.values())).all()
    assert figures["wasserstein"] == pytest.approx(-figures["loss"], rel=1e-5)
    unchanged = [v.path for v, old in zip(trainable, before, strict=True) if not np.abs(np.asarray(v) - old).max() > 0]
    assert not unchanged
    assert [int(optimizer.iterations) for optimizer in gan.optimizers] == [count + 2 for count in steps]


def test_the_penalty_is_zero_in_steps_that_skip_it(gan):
    assert gan.train(0, penalised=False)["penalty"] == 0
    assert gan.train(1, penalised=True)["penalty"] > 0


class TwoRanks:
    """Sum over two threads that stand in for ranks."""

    def __init__(self):
        self.barrier, self.tensors = threading.Barrier(2, timeout=600), {}

    def reduce(self, rank: int):
        def reduce(tensors):
            self.tensors[rank] = list(tensors)
            self.barrier.wait()
            total = [a + b for a, b in zip(self.tensors[0], self.tensors[1], strict=True)]
            self.barrier.wait()
            return total

        return reduce


@pytest.fixture
def eager():
    """Run tf.functions as plain Python, so that threads can synchronise within them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"penalty": "r1", "network": "dcgan", "style_dim": GAN.style_dim, "kernel_size": 5, "penalty_weight": 1.0},
        {"penalty": "none", "network": "dcgan", "style_dim": GAN.style_dim, "spectral_norm": True},
    ],
    ids=["wgan-gp", "dcgan", "spectral norm"],
)
def test_two_ranks_with_half_a_batch_each_train_like_one_rank(eager, changes):
    single, ranks = SmallGAN(**changes), TwoRanks()
    halves = [SmallGAN(ranks.reduce(rank), **changes) for rank in range(2)]
    figures: dict[int, dict[str, float]] = {}

    def work(rank: int) -> None:
        for step in range(2):
            indices = range(rank * BATCH // 2, (rank + 1) * BATCH // 2)
            figures[rank] = halves[rank].train(step, indices, changes.get("penalty") != "none")

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for step in range(2):
        expected = single.train(step, penalised=changes.get("penalty") != "none")
    for thread in threads:
        thread.join()
    for name, value in expected.items():
        assert figures[0][name] == figures[1][name] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    for weight, first, second in zip(single.weights(), halves[0].weights(), halves[1].weights(), strict=True):
        assert (first == second).all()
        np.testing.assert_allclose(first, weight, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"penalty_every": 0}, "penalty_every"),
        ({"critic_learning_rate": 0}, "critic_learning_rate"),
        ({"beta_1": 1.0}, "beta_1"),
        ({"validation_maps": 0}, "validation_maps"),
        ({"beta_2": 0.0}, "beta_2"),
        ({"moment_matching_rate": 0}, "moment_matching_rate"),
        ({"moment_matching_steps": -1}, "moment_matching_steps"),
    ],
)
def test_unusable_hyper_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        AdversarialTraining(**change)
