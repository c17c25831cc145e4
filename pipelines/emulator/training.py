"""One training of an emulator of mass maps, on one rank: its data, its pair of networks, the maps it is judged by."""

import resource
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np

from tenfold.emulators.adversarial import AdversarialTraining, Loss, adam, adversarial_step
from tenfold.emulators.discriminator import build_discriminator
from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.latents import draw
from tenfold.emulators.moment_matching import Settling
from tenfold.emulators.state import State
from tenfold.emulators.symmetries import augment
from tenfold.emulators.training import Position
from tenfold.hpc import checkpoints, order
from tenfold.hpc.progress import progress
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.emulator.calibration import calibrate
from tenfold.pipelines.emulator.emulator import Learnt
from tenfold.pipelines.emulator.lognormal import FITTED, first_guess
from tenfold.pipelines.emulator.running_statistics import compare, measure, sets
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run import TrainingRun
from tenfold.pipelines.training.run_folder import RunFolder, versions
from tenfold.pipelines.training.tensorboard import Board
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards

PART = 32
"""Maps made at once."""
GRID = 4
"""Maps per side of the grid of samples."""
TRAIN, JUDGE, CALIBRATE, SETTLE = 1, 2, 4, 5
"""Keys that keep the random numbers of training, judging, calibrating and settling apart; 3 is the emulator's."""


class MassMapTraining(TrainingRun):
    """One training of an emulator of mass maps, on this rank.

    The epoch whose averaged generator comes closest to the validation split, by its score of running statistics, is
    kept in the folder ``best``; `finish` writes it, its power and pixels calibrated on the training split and its other
    mean statistics settled there.

    Parameters
    ----------
    data
        Maps, opened.
    folder
        Folder of the run.
    network
        Shape of the pair.
    training
        How it is trained.
    ranks
        The ranks of this run.
    """

    def __init__(self, data: Shards, folder: RunFolder, network: GAN, training: AdversarialTraining, ranks: Ranks):
        self.data, self.records, self.shape = data, data.split("train"), network
        check(data, network, training, ranks)
        batch = training.global_batch
        steps = len(self.records) // batch
        self.guess = first_guess(
            *self.known(), transform=network.transform, periodic=network.boundary == "periodic", ranks=ranks
        )  # fmt: skip
        units: dict[str, Any] = {"seed": training.seed, "precision": training.precision}
        self.discriminator = build_discriminator(network, self.guess, **units)
        optimizers = (
            adam(training, training.learning_rate, steps),
            adam(training, training.critic_learning_rate, steps),
        )
        # maps left over by the last whole batch of an epoch come in other epochs
        super().__init__(
            folder, build_generator(network, self.guess, **units), network, training, ranks,
            samples=steps * batch, data=data.manifest.fingerprint,
            optimizer=optimizers[0], critic=(self.discriminator, optimizers[1]),
        )  # fmt: skip
        self.training: AdversarialTraining = training
        self.step = adversarial_step(
            self.network, self.discriminator, optimizers, ranks.sum, training,
            loss=loss_of(network, training), average=self.average,
        )  # fmt: skip
        records = data.split("validation") if len(data.split("validation")) else self.records
        self.judged = records[np.unique(np.linspace(0, len(records) - 1, training.judged).round().astype(int))]
        self.sets = sets(self.conditions(self.judged))
        simulated = data.read(self.judged)
        self.simulated = measure(simulated, self.sets)
        self.range = tuple(np.quantile(simulated[..., 0], (0.002, 0.998)))
        self.score: dict[str, float] = {}
        self.tiles = simulated[: GRID**2, :, :, 0]

    def known(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read maps of the training split, their parameters and their simulations: what is measured on."""
        most = FITTED // (self.shape.size**2 * self.shape.channels)
        few = self.records[:: -(-len(self.records) // most)]
        return self.data.read(few), self.conditions(few), self.data.simulation(few)

    def conditions(self, records: np.ndarray) -> np.ndarray:
        """Return what maps like these records are made for: shape (n, P), P = 0 for an unconditional generator."""
        if not self.shape.conditions:
            return np.empty((len(records), 0), np.float32)
        return self.data.parameters(records).astype(np.float32)

    def batches(self, position: Position) -> Iterator:
        """Yield the rest of an epoch: ((maps, inputs, mix, weights, regularised), samples in the global batch)."""
        t, r = self.training, self.ranks
        places, weights = self.share()
        rest = order.batches(
            len(self.records), t.global_batch, t.seed, position.epoch, r.rank, r.size, start=position.step
        )
        for step, samples in rest:
            if step == self.steps:
                return
            records = self.records[samples]
            maps = self.data.read(records)
            if t.symmetries:
                maps = augment(maps, position.epoch, records, seed=t.seed, shift=t.shifts)
            number = position.epoch * self.steps + step
            inputs, mix = draw(self.shape, (t.seed, TRAIN, number), places)
            inputs |= self.wanted(self.conditions(records))
            regularised = np.array(t.penalty != "none" and number % t.penalty_every == 0)
            yield (maps, inputs, mix, weights, regularised), t.global_batch

    def share(self) -> tuple[np.ndarray, np.ndarray]:
        """Return this rank's places in a global batch, and what each counts for, shape (n,) each."""
        count = self.training.global_batch // self.ranks.size
        places = np.arange(self.ranks.rank * count, (self.ranks.rank + 1) * count)
        return places, np.full(count, 1 / self.training.global_batch, np.float32)

    def wanted(self, conditions: np.ndarray) -> dict[str, np.ndarray]:
        """Return the generator's inputs that say what maps are made for."""
        return {"parameters": conditions} if self.shape.conditions else {}

    def made(self, conditions: np.ndarray, *key: int) -> np.ndarray:
        """Make a map for each of these conditions (n, P), each rank its share: shape (n, N, N, C), on every rank."""

        def compute(places: np.ndarray) -> np.ndarray:
            maps = [np.empty((0, self.shape.size, self.shape.size, self.shape.channels), np.float32)]
            for first in range(0, len(places), PART):
                part = places[first : first + PART]
                inputs, _ = draw(self.shape, (self.training.seed, *key), part)
                maps.append(self.network.predict_on_batch(inputs | self.wanted(conditions[part])))
            return np.concatenate(maps)

        return self.ranks.shared(len(conditions), compute)

    def validation_loss(self) -> float:
        """Return the score of the averaged generator's running statistics: 0 for the simulated maps' own."""
        with self.averaged():
            maps = self.made(self.conditions(self.judged), JUDGE)
        calibrated = self.shape.network == "wgan-gp"
        self.score = compare(measure(maps, self.sets), self.simulated, calibrated=calibrated)
        self.tiles = maps[np.linspace(0, len(maps) - 1, GRID**2).round().astype(int), :, :, 0]
        return self.score["score"] if np.isfinite(self.score["score"]) else float("inf")

    def figures(self, means: dict[str, float], position: Position, board: Board | None) -> dict[str, float]:
        """Show the epoch's samples and statistics, and keep its generator if it is the best so far (rank 0)."""
        row = {name: value for name, value in means.items() if name != "loss"}
        row |= {f"map_{name}": value for name, value in self.score.items()}
        if board is None:
            return row
        import tensorflow as tf

        grid = picture(self.tiles, self.range)
        with board.writer.as_default(step=position.epoch):
            for name, value in row.items():
                tf.summary.scalar(name.replace("map_", "maps/"), value)
            tf.summary.image("samples", grid[None])
        with replacing(self.folder.path / "samples.png") as temporary:
            unsigned: dict[str, Any] = {"Software": None}
            matplotlib.image.imsave(temporary, grid, format="png", metadata=unsigned)
        before = [earlier["map_score"] for earlier in self.history]
        if not before or row["map_score"] < min(before):
            with self.averaged():
                arrays = State(network=self.network.variables).arrays()
            checkpoints.save(self.folder.path / "best", position.epoch, arrays, {"score": self.score}, keep=1)
        return row

    def finish(self, wall_s: float) -> None:
        """Write the best epoch's generator, corrected by all ranks together, and the record of the run (rank 0)."""
        best = checkpoints.latest(self.folder.path / "best") if self.ranks.first else None
        if self.ranks.any(self.ranks.first and best is None):
            raise InputError(f"{self.folder.path / 'best'}: no checkpoint can be read; train again in another --out")
        if best is not None:
            try:
                State(network=self.network.variables).restore(best.arrays)
            except ValueError as error:
                raise InputError(f"{best.path}: {error}; train again in another --out") from error
        self.ranks.broadcast(self.network.variables)
        corrected: dict[str, list[float]] = {}
        settled: list[float] = []
        if self.shape.network == "wgan-gp":

            def make(conditions: np.ndarray, turn: int) -> np.ndarray:
                return self.made(conditions, CALIBRATE, turn)

            corrected = asdict(calibrate(self.network, make, self.guess, *self.known()))
            settled = self.settle()
        if best is not None:
            learnt = Learnt.of(self.shape, self.guess, self.training.precision)
            facts = {"data": {"fingerprint": self.fingerprint}, "versions": versions()}
            Bundle.of("massmaps", learnt, self.network, facts).write(self.folder.network)
            parameters = self.data.parameters(self.records) if self.shape.conditions else np.empty((1, 0))
            names = self.data.manifest.parameter_names if self.shape.conditions else ()
            self.folder.write_record("emulator", {
                "fingerprint": self.fingerprint, "data": str(self.data.path), "names": list(names),
                "low": parameters.min(axis=0).tolist(), "high": parameters.max(axis=0).tolist(),
                **about(self.data.manifest, names), "best_epoch": best.step,
                "score": best.state["score"], "calibration": corrected,
                "settling": settled,
                "network": asdict(self.shape), "training": asdict(self.training),
                "parameters": int(self.network.count_params()), "ranks": self.ranks.size, "versions": versions(),
                "seed": self.training.seed, "wall_s": wall_s, "waiting_s": self.history[-1]["waiting"],
                "training_s": self.history[-1]["seconds"],
                "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
            })  # fmt: skip
        self.ranks.barrier()

    def settle(self) -> list[float]:
        """Bring the mean statistics to the simulations'; return by how much they were off, ten times on the way."""
        t, r = self.training, self.ranks
        if not t.settling_steps:
            return []
        settling = Settling(
            self.network, self.shape, self.guess, r.sum, batch=t.global_batch, steps=t.settling_steps,
            rate=t.settling_rate, precision=t.precision,
        )  # fmt: skip
        places, weights = self.share()
        found = []
        with progress("Settling", settling.looks + t.settling_steps, "steps", show=r.first) as advance:
            for number in range(settling.looks + t.settling_steps):
                key = (t.seed, SETTLE, number)
                chosen = np.random.default_rng(key).integers(len(self.records), size=t.global_batch)[places]
                inputs, _ = draw(self.shape, key, places)
                inputs |= self.wanted(self.conditions(self.records[chosen]))
                if number < settling.looks:
                    settling.look((inputs, weights / np.float32(settling.looks)))
                else:
                    found.append(float(settling.descend((inputs, weights))["off"]))
                advance(1, note=f"off by {found[-1]:.3f}" if found else "")
        return found[t.settling_steps // 10 - 1 :: max(1, t.settling_steps // 10)]


def about(manifest: Manifest, names: Sequence[str]) -> dict[str, Any]:
    """What maps by an emulator share with those it was trained on; its parameters, by these names, aside."""
    every = [each.parameters for each in manifest.simulations]
    known = {name: value for name, value in (every[0] if every else {}).items() if name not in names}
    return {
        "side_deg": manifest.side_deg, "box_mpc_h": manifest.box_mpc_h, "units": manifest.units,
        "redshifts": list(manifest.redshifts),
        "multipoles": None if manifest.multipoles is None else list(manifest.multipoles),
        "fixed": {name: value for name, value in known.items() if all(each.get(name) == value for each in every)},
    }  # fmt: skip


def loss_of(network: GAN, training: AdversarialTraining) -> Loss:
    """The loss that a pair is trained with."""
    if training.loss != "own":
        return training.loss
    return "wasserstein" if network.network == "wgan-gp" else "logistic"


def picture(tiles: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Colour maps (16, N, N) between limits, in their unit, and set them side by side: uint8, shape (4 N, 4 N, 3)."""
    count, side, _ = tiles.shape
    full = np.zeros((GRID**2, side, side), tiles.dtype)
    full[:count] = tiles
    joined = full.reshape(GRID, GRID, side, side).transpose(0, 2, 1, 3).reshape(GRID * side, GRID * side)
    shown = np.clip((joined - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return matplotlib.colormaps["inferno"](shown, bytes=True)[..., :3]


def check(data: Shards, network: GAN, training: AdversarialTraining, ranks: Ranks) -> None:
    """Say what does not fit: maps and networks, batch and ranks."""
    manifest, records = data.manifest, data.split("train")
    found, wanted = data.read(records[:1]).shape[1:], (network.size, network.size, network.channels)
    if found != wanted:
        raise InputError(
            f"the data hold maps of shape {found}, the network makes {wanted}: "
            f"--set network.size={found[0]} --set network.channels={found[-1]}, or another --preset"
        )
    if network.conditions not in (0, len(manifest.parameter_names)):
        raise InputError(
            f"the data have the parameters {', '.join(manifest.parameter_names) or '(none)'}, the network takes "
            f"{network.conditions}: --set network.conditions={len(manifest.parameter_names)}, or 0 for none"
        )
    still = [n for n, s in zip(manifest.parameter_names, manifest.parameter_std, strict=True) if not s > 0]
    if network.conditions and still:
        raise InputError(f"the data are all of one {still[0]}, which cannot be a condition: --set network.conditions=0")
    shifts = training.shifts and training.symmetries
    if not manifest.periodic and (network.boundary == "periodic" or shifts):
        raise InputError(f"{manifest.not_periodic}: --set network.boundary=cropped --set training.shifts=false")
    if shifts and network.boundary != "periodic":
        raise InputError("a network of cropped maps is not to see shifted ones: --set training.shifts=false")
    if training.global_batch % (ranks.size * network.group):
        raise InputError(
            f"training.global_batch: found {training.global_batch}, must be a multiple of network.group "
            f"({network.group}) for each of {ranks.size} ranks: take {ranks.size * network.group}"
        )
    if len(records) < training.global_batch:
        raise InputError(
            f"training.global_batch: found {training.global_batch}, but the training split holds {len(records)} maps"
        )
