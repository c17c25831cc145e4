"""Base of all trainings, on one rank: state, checkpoints, epochs; subclasses define the step and the data."""

import logging
import resource
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from tenfold.emulators.moving_average import MovingAverage
from tenfold.emulators.state import State
from tenfold.emulators.training import Means, Position, Step, Training, train_epochs
from tenfold.hpc import checkpoints
from tenfold.hpc.checkpoints import Checkpoint
from tenfold.hpc.order import steps_per_epoch
from tenfold.hpc.progress import progress
from tenfold.hpc.ranks import Ranks
from tenfold.hpc.signals import StopRequest
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.output_folder import RECORD
from tenfold.pipelines.training.prefetch import Prefetcher
from tenfold.pipelines.training.run_folder import RunFolder, versions
from tenfold.pipelines.training.tensorboard import TensorBoardWriter

log = logging.getLogger("tenfold")

CUMULATIVE_COLUMNS = {"seconds", "waiting"}
"""Columns of the history that a resumed run adds to."""
FREE_TO_CHANGE = ("checkpoints_to_keep", "checkpoint_steps")
"""Hyper-parameters that may differ when a run is resumed: they do not affect the result."""
STOP_STEPS = 8
"""Number of steps after which ranks agree on whether they were asked to stop."""


class Stopped(Exception):  # noqa: N818 (not an error)
    """The run was asked to stop, and a checkpoint was written."""


class TrainingRun(ABC):
    """Training of a network, on this rank.

    A subclass sets ``step`` and provides `batches`, `validation_loss` and `finish`. It is constructed as
    ``(data, folder, network, training, ranks, **options)`` from opened shards, the folder of the run, architecture and
    hyper-parameters, and the MPI ranks (see `run_training`).

    Parameters
    ----------
    folder
        Folder of the run.
    network
        The network.
    architecture
        Its configuration, a dataclass.
    training
        Hyper-parameters.
    ranks
        MPI ranks of this run.
    samples
        Number of samples of an epoch, over all ranks.
    data
        Fingerprint of the data: a run is only resumed on the same data.
    optimizer
        Optimizer of the network.
    critic
        The critic of adversarial training, and its optimizer.
    """

    step: Step

    def __init__(
        self,
        folder: RunFolder,
        network: keras.Model,
        architecture: Any,
        training: Training,
        ranks: Ranks,
        *,
        samples: int,
        data: str,
        optimizer: keras.optimizers.Optimizer,
        critic: tuple[keras.Model, keras.optimizers.Optimizer] | None = None,
    ):
        self.folder, self.network, self.training, self.ranks = folder, network, training, ranks
        self.architecture = architecture
        self.fingerprint = data
        self.steps = steps_per_epoch(samples, training.global_batch)
        self.optimizer = optimizer
        self.optimizer.build(network.trainable_variables)
        self.average = MovingAverage(network, training.ema_decay) if training.ema_decay else None
        groups = {
            "network": network.variables,
            "optimizer": self.optimizer.variables,
            "average": self.average.variables if self.average else [],
        }
        if critic is not None:
            critic_network, critic_optimizer = critic
            critic_optimizer.build(critic_network.trainable_variables)
            groups |= {"critic": critic_network.variables, "critic_optimizer": critic_optimizer.variables}
        self.state = State(**groups)
        self.prefetcher = Prefetcher()
        self.history: list[dict[str, float]] = []

    @abstractmethod
    def batches(self, position: Position) -> Iterator[tuple[Any, float]]:
        """Yield the rest of an epoch: pairs of a batch for ``step`` and the weight of the global batch in the means."""

    @abstractmethod
    def validation_loss(self) -> float:
        """Return the mean loss over the validation split, equal on all ranks; NaN where the split is empty."""

    @abstractmethod
    def finish(self, wall_s: float) -> None:
        """Write the results of the run and its record (rank 0); ``wall_s`` is the wall time of the training [s]."""

    def record(self, wall_s: float) -> dict[str, Any]:
        """Return the entries of run.json that all trainings share: configuration, versions and cost."""
        return {
            "network": asdict(self.architecture), "training": asdict(self.training),
            "parameters": int(self.network.count_params()), "ranks": self.ranks.size, "versions": versions(),
            "seed": self.training.seed, "wall_s": wall_s, "waiting_s": self.history[-1]["waiting"],
            "training_s": self.history[-1]["seconds"], "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        }  # fmt: skip

    def epoch_metrics(
        self, means: dict[str, float], position: Position, board: TensorBoardWriter | None
    ) -> dict[str, float]:
        """Return further columns of the history for an epoch, and log them; called once an epoch on every rank.

        Parameters
        ----------
        means
            Means over the epoch of what its steps returned, by name.
        position
            Progress of the run.
        board
            Writer of TensorBoard's events, on rank 0.
        """
        return {}

    def averaged(self) -> AbstractContextManager:
        """Return a context in which the network has its averaged weights, if it averages them."""
        return self.average.applied() if self.average else nullcontext()

    def save(self, position: Position, means: Means) -> None:
        """Write a checkpoint (rank 0)."""
        if self.ranks.first:
            number = position.epoch * self.steps + position.step
            state = {
                "position": list(position), "means": asdict(means), "history": self.history, "data": self.fingerprint,
                "network": asdict(self.architecture), "training": asdict(self.training),
            }  # fmt: skip
            keep = self.training.checkpoints_to_keep
            checkpoints.save(self.folder.checkpoints, number, self.state.arrays(), state, keep=keep)

    def resume(self) -> tuple[Position, Means]:
        """Restore the newest valid checkpoint; return its position and means, or those of a new run."""
        checkpoint = checkpoints.latest(self.folder.checkpoints)
        if checkpoint is None:
            return Position(), Means()
        try:
            return self._restore(checkpoint)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            advice = "Remove it to resume from an earlier one, or choose another --out."
            raise InputError(f"{checkpoint.path}: is not of this training ({error}). {advice}") from error

    def _restore(self, checkpoint: Checkpoint) -> tuple[Position, Means]:
        saved = checkpoint.state
        if saved["data"] != self.fingerprint:
            raise InputError(f"{checkpoint.path}: was trained on other data; choose another --out")
        for name, now in (("network", asdict(self.architecture)), ("training", asdict(self.training))):
            changed = [k for k in now if plain(now[k]) != saved[name].get(k) and k not in FREE_TO_CHANGE]
            if changed:
                raise InputError(
                    f"{checkpoint.path}: the run began with {name}.{changed[0]} = {saved[name].get(changed[0])}, "
                    f"now it is {now[changed[0]]}; change it back, or choose another --out"
                )
        position, means = Position(*saved["position"]), Means(**saved["means"])
        for row in saved["history"]:
            if not row.keys() >= CUMULATIVE_COLUMNS:
                raise ValueError("a row of its history is incomplete")
        self.state.restore(checkpoint.arrays)
        self.history = saved["history"]
        log.info("Resuming at epoch %d, step %d from %s", position.epoch + 1, position.step, checkpoint.path)
        return position, means

    def fit(self, *, resume: bool) -> None:
        """Train to the last epoch.

        Raises
        ------
        Stopped
            A signal asked the run to stop, and a checkpoint was written.
        """
        position, epoch_means = self.resume() if resume else (Position(), Means())
        self.ranks.broadcast(self.state.variables)
        start = time.monotonic()
        spent = self.history[-1]["seconds"] if self.history else 0.0
        waited = self.history[-1]["waiting"] if self.history else 0.0
        total = self.training.epochs * self.steps
        board = TensorBoardWriter(self.folder.tensorboard, self.network) if self.ranks.first else None
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

            epochs = train_epochs(
                self.step,
                lambda position: self.prefetcher.iterate(self.batches(position)),
                epochs=self.training.epochs,
                start=position,
                means=epoch_means,
                after_step=after_step,
            )
            for epoch, means in epochs:
                row = {
                    "epoch": epoch + 1,
                    "step": (epoch + 1) * self.steps,
                    "loss": means["loss"],
                    "validation_loss": self.validation_loss(),
                    "learning_rate": float(self.optimizer.learning_rate),
                    "seconds": spent + time.monotonic() - start,
                    "waiting": waited + self.prefetcher.waited_s,
                }
                row |= self.epoch_metrics(means, Position(epoch + 1), board)
                self.history.append(row)
                if board:
                    board.write(row)
                    self.folder.write_history(self.history)
                if not self.training.checkpoint_steps or epoch + 1 == self.training.epochs:
                    self.save(Position(epoch + 1), Means())


def run_training(
    shards: Callable[[Path], AbstractContextManager],
    training_run: Callable[..., TrainingRun],
    data: Path | str,
    out: Path | str,
    network: Any,
    training: Training,
    ranks: Ranks | None,
    *,
    resume: bool,
    **options: Any,
) -> RunFolder:
    """Train a network from the first epoch to the last, unless the same training has finished in this folder.

    Parameters
    ----------
    shards
        Opens a folder of shards.
    training_run
        Type of the training: ``training_run(shards, folder, network, training, ranks, **options)``.
    data
        Folder of shards. It may be moved between two runs: everything else tells whether the training is the same.
    out
        Folder of the run, created where it does not exist.
    network, training
        Architecture of the network, and hyper-parameters of its training: dataclasses.
    ranks
        MPI ranks of this run; None: a single process.
    resume
        Resume from the newest checkpoint, if there is one.
    options
        Further arguments of the training, recorded in its configuration.

    Raises
    ------
    InputError
        The folder cannot be written, or holds another run, or a run that is not to be resumed.
    Stopped
        A signal asked the run to stop, and a checkpoint was written.
    """
    start = time.monotonic()
    ranks, data, out = ranks or Ranks(), Path(data), Path(out)
    folder = RunFolder(out)
    config = {"data": str(data), "network": asdict(network), "training": asdict(training), **options}
    config = {key: plain(value) for key, value in config.items()}
    if ranks.first:
        earlier = not (out / RECORD).exists() and (out / "config.yaml").exists()  # perhaps of an earlier version
        folder.create(known=earlier and checkpoints.latest(folder.checkpoints) is not None)
    ranks.barrier()
    if not resume and checkpoints.latest(folder.checkpoints):
        raise InputError(f"{out}: holds a run already: continue it with --resume, or choose another --out")
    with shards(data) as opened:
        if resume and (out / "run.json").exists():
            same = {**folder.read_config(), "data": None} == {**config, "data": None}
            if same and folder.read_record().get("fingerprint") == opened.manifest.fingerprint:
                log.info("%s has finished already", out)
                return folder
        run = training_run(opened, folder, network, training, ranks, **options)
        if ranks.first and not folder.read_config():
            folder.write_config(config)
        run.fit(resume=resume)  # refuses to continue another run, whose configuration is then left as it is
        if ranks.first:
            folder.write_config(config)
        run.finish(time.monotonic() - start)
    return folder


def plain(value):
    """Return a value as JSON and YAML give it back: tuples as lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (tuple, list)) else value
