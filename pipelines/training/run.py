"""One training, on one rank: its state, its checkpoints, its epochs; what is learnt, a subclass says."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
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
from tenfold.pipelines.training.prefetch import Feed
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.training.tensorboard import Board

log = logging.getLogger("tenfold")

HISTORY_TAKEN_UP = {"seconds", "waiting"}
"""What a run that is taken up adds to."""
FREE_TO_CHANGE = ("checkpoints_to_keep", "checkpoint_steps")
"""Hyper-parameters that may differ when a run is resumed: they do not affect the result."""
STOP_STEPS = 8
"""Ranks agree on whether they were asked to stop once in so many steps."""


class Stopped(Exception):  # noqa: N818 (an order obeyed, not an error)
    """The run was asked to stop and has saved a checkpoint."""


class TrainingRun(ABC):
    """One training, on this rank.

    A subclass sets ``step`` and provides `batches`, `validation_loss` and `finish`.

    Parameters
    ----------
    folder
        Folder of the run.
    network
        What learns.
    shape
        Its configuration, a dataclass.
    training
        How it is trained.
    ranks
        The ranks of this run.
    samples
        Samples of an epoch, over all ranks.
    data
        Fingerprint of the data: a run is only taken up on the same.
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
        shape: Any,
        training: Training,
        ranks: Ranks,
        *,
        samples: int,
        data: str,
        optimizer: keras.optimizers.Optimizer,
        critic: tuple[keras.Model, keras.optimizers.Optimizer] | None = None,
    ):
        self.folder, self.network, self.shape, self.training, self.ranks = folder, network, shape, training, ranks
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
        self.feed = Feed()
        self.history: list[dict[str, float]] = []

    @abstractmethod
    def batches(self, position: Position) -> Iterator[tuple[Any, float]]:
        """Yield the rest of an epoch: pairs of a batch for ``step`` and what the global batch counts for."""

    @abstractmethod
    def validation_loss(self) -> float:
        """Return the mean loss over the validation split, the same on every rank; NaN where there is none."""

    @abstractmethod
    def finish(self, wall_s: float) -> None:
        """Write what the run is for, and its record (rank 0); ``wall_s`` is the time it took [s]."""

    def figures(self, means: dict[str, float], position: Position, board: Board | None) -> dict[str, float]:
        """Return what else an epoch's row in the history says, having shown it; called once an epoch on every rank.

        Parameters
        ----------
        means
            What the steps of the epoch returned, by name.
        position
            Where the run stands.
        board
            TensorBoard's, on rank 0.
        """
        return {}

    def averaged(self) -> AbstractContextManager:
        """Let the network answer with its averaged weights, if there are any."""
        return self.average.applied() if self.average else nullcontext()

    def save(self, position: Position, means: Means) -> None:
        """Write a checkpoint (rank 0)."""
        if self.ranks.first:
            number = position.epoch * self.steps + position.step
            state = {
                "position": list(position), "means": asdict(means), "history": self.history, "data": self.fingerprint,
                "network": asdict(self.shape), "training": asdict(self.training),
            }  # fmt: skip
            keep = self.training.checkpoints_to_keep
            checkpoints.save(self.folder.checkpoints, number, self.state.arrays(), state, keep=keep)

    def resume(self) -> tuple[Position, Means]:
        """Take up the newest sound checkpoint, or begin; every rank ends with rank 0's state."""
        checkpoint = checkpoints.latest(self.folder.checkpoints)
        if checkpoint is None:
            return Position(), Means()
        try:
            return self._take_up(checkpoint)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            advice = "Remove it to go on from an earlier one, or choose another --out."
            raise InputError(f"{checkpoint.path}: is not of this training ({error}). {advice}") from error

    def _take_up(self, checkpoint: Checkpoint) -> tuple[Position, Means]:
        kept = checkpoint.state
        if kept["data"] != self.fingerprint:
            raise InputError(f"{checkpoint.path}: was trained on other data; choose another --out")
        for name, now in (("network", asdict(self.shape)), ("training", asdict(self.training))):
            changed = [k for k in now if plain(now[k]) != kept[name].get(k) and k not in FREE_TO_CHANGE]
            if changed:
                raise InputError(
                    f"{checkpoint.path}: the run began with {name}.{changed[0]} = {kept[name].get(changed[0])}, "
                    f"now it is {now[changed[0]]}; put it back, or choose another --out"
                )
        position, means = Position(*kept["position"]), Means(**kept["means"])
        for row in kept["history"]:
            if not row.keys() >= HISTORY_TAKEN_UP:
                raise ValueError("an epoch of its history is not whole")
        self.state.restore(checkpoint.arrays)
        self.history = kept["history"]
        log.info("Resuming at epoch %d, step %d from %s", position.epoch + 1, position.step, checkpoint.path)
        return position, means

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

            epochs = train_epochs(
                self.step,
                lambda position: self.feed.ahead(self.batches(position)),
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
                row |= self.figures(figures, Position(epoch + 1), board)
                self.history.append(row)
                if board:
                    board.write(row)
                    self.folder.write_history(self.history)
                if not self.training.checkpoint_steps or epoch + 1 == self.training.epochs:
                    self.save(Position(epoch + 1), Means())


def carry_out(
    opened: Callable[[], AbstractContextManager],
    begin: Callable[[Any, RunFolder], TrainingRun],
    out: Path | str,
    config: Mapping[str, Any],
    ranks: Ranks,
    *,
    resume: bool,
) -> RunFolder:
    """Train from first to last, unless this very training has finished in this folder already.

    Parameters
    ----------
    opened
        Opens the shards that are trained on.
    begin
        Returns the training, given them.
    out
        Folder of the run, made where it is not there.
    config
        What is written beside the run; where the data lie, ``"data"``, may change, the rest tells whether it is the
        training that has finished.
    ranks
        The ranks of this run.
    resume
        Go on from the newest checkpoint, where there is one.

    Raises
    ------
    InputError
        The folder cannot be written, or holds a run that is not to be resumed, or another one.
    Stopped
        A signal asked for it; a checkpoint stands.
    """
    start = time.monotonic()
    out = Path(out)
    folder = RunFolder(out)
    written = {key: plain(value) for key, value in config.items()}
    if ranks.first:
        earlier = not (out / RECORD).exists() and (out / "config.yaml").exists()  # perhaps an earlier version's
        folder.create(known=earlier and checkpoints.latest(folder.checkpoints) is not None)
    ranks.barrier()
    if not resume and checkpoints.latest(folder.checkpoints):
        raise InputError(f"{out}: holds a run already: --resume goes on with it, another --out begins a new one")
    with opened() as data:
        if resume and (out / "run.json").exists():
            same = {**folder.read_config(), "data": None} == {**written, "data": None}
            if same and folder.read_record().get("fingerprint") == data.manifest.fingerprint:
                log.info("%s has finished already", out)
                return folder
        task = begin(data, folder)
        if ranks.first and not folder.read_config():
            folder.write_config(written)
        task.fit(resume=resume)  # refuses to go on with another run, whose configuration then stands
        if ranks.first:
            folder.write_config(written)
        task.finish(time.monotonic() - start)
    return folder


def plain(value):
    """Return a value as JSON and YAML give it back: tuples as lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (tuple, list)) else value
