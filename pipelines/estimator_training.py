"""One training of a parameter estimator, on one rank: its data, its checkpoints, its epochs, its predictions."""

import logging
import resource
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial

import numpy as np

from tenfold.emulators.averaging import MovingAverage
from tenfold.emulators.cnn3d import CNN3D, build, input_statistics
from tenfold.emulators.initialisation import calibrate
from tenfold.emulators.losses import gaussian_nll
from tenfold.emulators.state import State
from tenfold.emulators.symmetries import augment
from tenfold.emulators.training import Means, Position, Training, optimizer, regression_step, run
from tenfold.hpc import checkpoints
from tenfold.hpc.order import batches, steps_per_epoch
from tenfold.hpc.progress import progress
from tenfold.hpc.ranks import Ranks
from tenfold.hpc.signals import StopRequest
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator import Estimator
from tenfold.pipelines.feed import Feed
from tenfold.pipelines.run_folder import RunFolder, versions
from tenfold.pipelines.shards import Shards
from tenfold.pipelines.tensorboard import Board

log = logging.getLogger("tenfold")

CALIBRATION = 32
"""Training records that the first weights are fitted to."""

STOP_STEPS = 8
"""Ranks agree on whether they were asked to stop once in so many steps."""


class Stopped(Exception):  # noqa: N818 (an order obeyed, not an error)
    """The run was asked to stop and has saved a checkpoint."""


class EstimatorTraining:
    """One training of a parameter estimator, on this rank.

    Parameters
    ----------
    data
        Shards, opened.
    folder
        Folder of the run.
    network
        Shape of the network.
    training
        How it is trained.
    ranks
        The ranks of this run.
    views
        Orientations averaged over in the predictions.
    """

    def __init__(
        self, data: Shards, folder: RunFolder, network: CNN3D, training: Training, ranks: Ranks, views: int = 1
    ):
        self.data, self.folder, self.training, self.ranks, self.views = data, folder, training, ranks, views
        self.shape = network
        self.scale = np.array(data.manifest.parameter_std, dtype=np.float32)
        self.network = build_for(data, network, training)
        self.records = data.split("train")
        self.steps = steps_per_epoch(len(self.records), training.global_batch)
        self.optimizer = optimizer(training, self.steps)
        self.optimizer.build(self.network.trainable_variables)
        self.average = MovingAverage(self.network, training.average) if training.average else None
        self.state = State(
            network=self.network.variables,
            optimizer=self.optimizer.variables,
            average=self.average.variables if self.average else [],
        )
        self.step = regression_step(
            self.network, partial(self._loss, beta=training.beta), self.optimizer, ranks.sum, self.average, self._loss
        )
        self.feed = Feed()
        self.history: list[dict[str, float]] = []

    def _loss(self, truth, estimate, beta: float = 0.0):
        return gaussian_nll(truth, estimate, self.scale, beta)

    # -- data ---------------------------------------------------------------------------------------------------------

    def part(self, records: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read this rank's samples of a global batch of ``count``, filled up to one shape with samples of no weight."""
        full = -(-self.training.global_batch // self.ranks.size)
        weights = np.zeros(full, np.float32)
        weights[: len(records)] = 1 / count
        padded = np.resize(records, full) if len(records) else np.full(full, self.records[0])
        return self.data.read(padded), self.data.parameters(padded).astype(np.float32), weights

    def training_batches(self, position: Position) -> Iterator:
        """Yield the rest of an epoch: ((inputs, targets, weights), samples in the global batch)."""
        t, total = self.training, len(self.records)
        for step, samples in batches(
            total, t.global_batch, t.seed, position.epoch, self.ranks.rank, self.ranks.size, start=position.step
        ):
            count = min(t.global_batch, total - step * t.global_batch)
            records = self.records[samples]
            inputs, targets, weights = self.part(records, count)
            if t.symmetries:
                keys = np.zeros(len(inputs), np.int64)
                keys[: len(records)] = records
                inputs = augment(inputs, position.epoch, keys, seed=t.seed, shift=t.shifts)
            yield (inputs, targets, weights), count

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def save(self, position: Position, means: Means) -> None:
        """Write a checkpoint (rank 0)."""
        if self.ranks.first:
            number = position.epoch * self.steps + position.step
            state = {
                "position": list(position), "means": asdict(means), "history": self.history,
                "data": self.data.manifest.fingerprint,
                "network": asdict(self.shape), "training": asdict(self.training),
            }  # fmt: skip
            checkpoints.save(self.folder.checkpoints, number, self.state.arrays(), state, keep=self.training.keep)

    def resume(self) -> tuple[Position, Means]:
        """Take up the newest sound checkpoint, or begin; every rank ends with rank 0's state."""
        checkpoint = checkpoints.latest(self.folder.checkpoints)
        if checkpoint is None:
            return Position(), Means()
        kept = checkpoint.state
        if kept["data"] != self.data.manifest.fingerprint:
            raise InputError(
                f"{checkpoint.path}: was trained on other data than {self.data.path}; choose another --out"
            )
        for name, now in (("network", asdict(self.shape)), ("training", asdict(self.training))):
            changed = [k for k in now if plain(now[k]) != kept[name].get(k) and k not in ("keep", "checkpoint_steps")]
            if changed:
                raise InputError(
                    f"{checkpoint.path}: the run began with {name}.{changed[0]} = {kept[name].get(changed[0])}, "
                    f"now it is {now[changed[0]]}; put it back, or choose another --out"
                )
        self.state.restore(checkpoint.arrays)
        self.history = kept["history"]
        position = Position(*kept["position"])
        log.info("Resuming at epoch %d, step %d from %s", position.epoch + 1, position.step, checkpoint.path)
        return position, Means(**kept["means"])

    # -- the run ------------------------------------------------------------------------------------------------------

    def fit(self, *, resume: bool) -> None:
        """Train to the last epoch.

        Raises
        ------
        Stopped
            A signal asked for it; a checkpoint stands.
        """
        position, means = self.resume() if resume else (Position(), Means())
        self.ranks.broadcast(self.state.variables)
        start = time.monotonic()
        spent = self.history[-1]["seconds"] if self.history else 0.0
        waited = self.history[-1]["waiting"] if self.history else 0.0
        total = self.training.epochs * self.steps
        board = Board(self.folder.tensorboard, self.network) if self.ranks.first else None
        with StopRequest() as stop, progress("Training", total, "steps", show=self.ranks.first) as advance:
            advance(position.epoch * self.steps + position.step)

            def after_step(position: Position, means: Means) -> None:
                advance(1, note=f"loss {means.finalise()['loss']:+.3f}")
                done = position.epoch * self.steps + position.step
                if self.training.checkpoint_steps and done % self.training.checkpoint_steps == 0:
                    self.save(position, means)
                if done % STOP_STEPS == 0 and self.ranks.any(stop.received is not None):
                    self.save(position, means)
                    self.ranks.barrier()
                    raise Stopped

            epochs = run(
                self.step,
                lambda position: self.feed.ahead(self.training_batches(position)),
                epochs=self.training.epochs,
                start=position,
                means=means,
                after_step=after_step,
            )
            for epoch, figures in epochs:
                row = {
                    "epoch": epoch + 1,
                    "step": (epoch + 1) * self.steps,
                    "loss": figures["loss"],
                    "validation_loss": self.validation_loss(),
                    "learning_rate": float(self.optimizer.learning_rate),
                    "seconds": spent + time.monotonic() - start,
                    "waiting": waited + self.feed.waited_s,
                }
                self.history.append(row)
                if board:
                    board.write(row)
                    self.folder.write_history(self.history)
                if not self.training.checkpoint_steps or epoch + 1 == self.training.epochs:
                    self.save(Position(epoch + 1), Means())

    def validation_loss(self) -> float:
        """Return the mean loss over the validation split, each rank computing its share."""
        records = self.data.split("validation")
        if not len(records):
            return float("nan")
        with self.averaged():
            mean, sigma = self.estimate(records)
        truth = self.data.parameters(records)
        return float(np.mean(0.5 * ((truth - mean) / sigma) ** 2 + np.log(sigma / self.scale)))

    def averaged(self):
        """Let the network answer with its averaged weights, if there are any."""
        return self.average.in_place() if self.average else nullcontext()

    def estimate(self, records: np.ndarray, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Estimate mean and σ of records, each rank its share: shapes (n, P), on every rank."""
        estimator = Estimator(self.network, self.data.manifest.parameter_names, np.ones(len(self.scale)),
                              -(-self.training.global_batch // self.ranks.size))  # fmt: skip
        mine = records[self.ranks.rank :: self.ranks.size]
        rows = [np.stack(estimator.predict(self.data.read(part), views), axis=-1) for part in _parts(mine, 64)]
        rows = np.concatenate(rows) if rows else np.empty((0, len(self.scale), 2))
        order = np.concatenate([np.arange(len(records))[r :: self.ranks.size] for r in range(self.ranks.size)])
        gathered = np.empty((len(records), len(self.scale), 2))
        gathered[order] = self.ranks.gather(rows)
        return gathered[..., 0], gathered[..., 1]

    def finish(self, wall_s: float) -> None:
        """Predict the held-out splits, then write predictions, network and record (rank 0)."""
        names = self.data.manifest.parameter_names
        predictions: dict[str, np.ndarray] = {"names": np.array(names)}
        factor = np.ones(len(names))
        with self.averaged():
            for split in ("validation", "test"):
                records = self.data.split(split)
                truth = self.data.parameters(records)
                mean, sigma = self.estimate(records, self.views)
                if split == "validation" and len(records) > 8:
                    factor = np.sqrt(np.mean(((truth - mean) / sigma) ** 2, axis=0))
                for key, value in (("record", records), ("true", truth), ("mean", mean), ("sigma", sigma * factor)):
                    predictions[f"{split}_{key}"] = value
                predictions[f"{split}_simulation"] = np.array(self.data.simulation(records), dtype=str)
            if self.ranks.first:
                self.network.save(self.folder.network)
        if self.ranks.first:
            self.folder.write_predictions(**predictions)
            self.folder.write_record({
                "data": str(self.data.path.resolve()), "names": list(names), "sigma_factor": factor.tolist(),
                "network": asdict(self.shape), "training": asdict(self.training), "views": self.views,
                "parameters": int(self.network.count_params()), "ranks": self.ranks.size, "versions": versions(),
                "seed": self.training.seed, "wall_s": wall_s, "waiting_s": self.history[-1]["waiting"],
                "training_s": self.history[-1]["seconds"],
                "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
            })  # fmt: skip
        self.ranks.barrier()


def build_for(data: Shards, shape: CNN3D, training: Training):
    """Build the network for data, its first weights fitted to a few training records; say what does not fit."""
    manifest = data.manifest
    found, wanted = tuple(manifest.shape), (shape.size,) * 3 + (shape.channels,)
    if found != wanted:
        raise InputError(
            f"the data hold volumes of shape {found}, the network takes {wanted}: "
            f"--set network.size={found[0]} --set network.channels={found[-1]}, or another --preset"
        )
    if shape.transform == "log1p" and manifest.log1p is None:
        raise InputError(
            "the data hold values of −1 or below, which log1p is not defined for: --set network.transform=identity"
        )
    if training.shifts and not manifest.periodic:
        raise InputError("the data hold pieces of boxes, which are not periodic: --set training.shifts=false")
    records = data.split("train")
    samples = data.read(records[:: max(1, len(records) // CALIBRATION)][:CALIBRATION])
    mean, std = input_statistics(shape, samples)
    network = build(
        shape, location=manifest.parameter_mean, scale=manifest.parameter_std, mean=mean, std=std,
        seed=training.seed, precision=training.precision,
    )  # fmt: skip
    calibrate(network, samples)
    return network


def plain(value):
    """Return a value as JSON and YAML give it back: tuples as lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _parts(indices: np.ndarray, length: int) -> list[np.ndarray]:
    return [indices[i : i + length] for i in range(0, len(indices), length)]
