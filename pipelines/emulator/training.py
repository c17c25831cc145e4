"""Training of an emulator of mass maps on one rank: data, networks, running statistics, calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import matplotlib.image
import numpy as np

from tenfold.emulators.adversarial import AdversarialTraining, adam, adversarial_step
from tenfold.emulators.discriminator import build_discriminator
from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.generator_inputs import draw_inputs
from tenfold.emulators.moment_matching import MomentMatching
from tenfold.emulators.state import State
from tenfold.emulators.symmetries import augment
from tenfold.emulators.training import Position
from tenfold.hpc import checkpoints, order
from tenfold.hpc.progress import progress
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.emulator.calibration import calibrate
from tenfold.pipelines.emulator.compatibility import check_compatibility, resolve_loss
from tenfold.pipelines.emulator.config import GeneratorConfig
from tenfold.pipelines.emulator.emulator import GENERATION_BATCH, ParameterSpace
from tenfold.pipelines.emulator.image_grid import GRID_SIDE, image_grid
from tenfold.pipelines.emulator.lognormal import MAX_FIT_PIXELS, fit_lognormal_model
from tenfold.pipelines.emulator.running_statistics import compare, group_by_parameters, measure
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run import TrainingRun
from tenfold.pipelines.training.run_folder import RunFolder, versions
from tenfold.pipelines.training.tensorboard import TensorBoardWriter
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.provenance import FieldProperties, provenance, splits_table
from tenfold.pipelines.volumes.shards import Shards

TRAINING, VALIDATION, CALIBRATION, MOMENT_MATCHING = 1, 2, 4, 5
"""Keys that separate the random streams of the stages; 3 is that of `MassMapEmulator`."""


class MassMapTraining(TrainingRun):
    """Training of an emulator of mass maps on this rank.

    The averaged generator of the epoch with the best score of running statistics on the validation split is kept in the
    folder ``best``. `finish` calibrates its power spectrum and pixels on the training split, matches its other mean
    statistics, and writes it.

    Raises
    ------
    InputError
        Data, architecture, training and ranks do not fit together.
    """

    def __init__(self, data: Shards, folder: RunFolder, network: GAN, training: AdversarialTraining, ranks: Ranks):
        self.data, self.records, self.architecture = data, data.split("train"), network
        check_compatibility(data, network, training, ranks)
        batch = training.global_batch
        steps = len(self.records) // batch
        self.model = fit_lognormal_model(
            *self.fitting_sample(), transform=network.transform, periodic=network.boundary == "periodic", ranks=ranks
        )  # fmt: skip
        options: dict[str, Any] = {"seed": training.seed, "precision": training.precision}
        self.discriminator = build_discriminator(network, self.model, **options)
        optimizers = (
            adam(training, training.learning_rate, steps),
            adam(training, training.critic_learning_rate, steps),
        )
        # maps that do not fill a last batch are used in other epochs
        super().__init__(
            folder, build_generator(network, self.model, **options), network, training, ranks,
            samples=steps * batch, data=data.manifest.fingerprint,
            optimizer=optimizers[0], critic=(self.discriminator, optimizers[1]),
        )  # fmt: skip
        self.training: AdversarialTraining = training
        self.step = adversarial_step(
            self.network, self.discriminator, optimizers, ranks.sum, training,
            loss=resolve_loss(network, training), average=self.average,
        )  # fmt: skip
        records = data.split("validation") if len(data.split("validation")) else self.records
        evenly = np.linspace(0, len(records) - 1, training.validation_maps).round().astype(int)
        self.validation_records = records[np.unique(evenly)]
        self.groups = group_by_parameters(self.parameters(self.validation_records))
        simulated = data.read(self.validation_records)
        self.simulated = measure(simulated, self.groups)
        self.colour_limits = tuple(np.quantile(simulated[..., 0], (0.002, 0.998)))
        self.score: dict[str, float] = {}
        self.tiles = simulated[: GRID_SIDE**2, :, :, 0]

    def fitting_sample(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read training maps for fits: κ (n, N, N, C), parameters (n, P) and simulation (n,)."""
        most = MAX_FIT_PIXELS // (self.architecture.size**2 * self.architecture.channels)
        records = self.records[:: -(-len(self.records) // most)]
        return self.data.read(records), self.parameters(records), self.data.simulation(records)

    def parameters(self, records: np.ndarray) -> np.ndarray:
        """Return the parameters of records, shape (n, P); P = 0 for an unconditional generator."""
        if not self.architecture.conditions:
            return np.empty((len(records), 0), np.float32)
        return self.data.parameters(records).astype(np.float32)

    def batches(self, position: Position) -> Iterator:
        """Yield the rest of an epoch: ((maps, inputs, interpolation, weights, penalised), size of the global batch)."""
        t, r = self.training, self.ranks
        indices, weights = self.rank_share()
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
            inputs, interpolation = draw_inputs(self.architecture, (t.seed, TRAINING, number), indices)
            inputs |= self.parameter_inputs(self.parameters(records))
            penalised = np.array(t.penalty != "none" and number % t.penalty_every == 0)
            yield (maps, inputs, interpolation, weights, penalised), t.global_batch

    def rank_share(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of this rank's samples within a global batch, and their weights in its mean: (n,) each."""
        count = self.training.global_batch // self.ranks.size
        indices = np.arange(self.ranks.rank * count, (self.ranks.rank + 1) * count)
        return indices, np.full(count, 1 / self.training.global_batch, np.float32)

    def parameter_inputs(self, parameters: np.ndarray) -> dict[str, np.ndarray]:
        """Return the generator's inputs for parameters (n, P): none for an unconditional generator."""
        return {"parameters": parameters} if self.architecture.conditions else {}

    def generate(self, parameters: np.ndarray, *key: int) -> np.ndarray:
        """Generate a map for each row of parameters (n, P), the work shared by ranks: (n, N, N, C), on every rank."""

        def compute(indices: np.ndarray) -> np.ndarray:
            maps = [
                np.empty((0, self.architecture.size, self.architecture.size, self.architecture.channels), np.float32)
            ]
            for first in range(0, len(indices), GENERATION_BATCH):
                batch = indices[first : first + GENERATION_BATCH]
                inputs, _ = draw_inputs(self.architecture, (self.training.seed, *key), batch)
                maps.append(self.network.predict_on_batch(inputs | self.parameter_inputs(parameters[batch])))
            return np.concatenate(maps)

        return self.ranks.compute_shared(len(parameters), compute)

    def validation_loss(self) -> float:
        """Return the score of the averaged generator's running statistics; 0 means equal to the simulated maps'."""
        with self.averaged():
            maps = self.generate(self.parameters(self.validation_records), VALIDATION)
        calibrated = self.architecture.network == "wgan-gp"
        self.score = compare(measure(maps, self.groups), self.simulated, calibrated=calibrated)
        self.tiles = maps[np.linspace(0, len(maps) - 1, GRID_SIDE**2).round().astype(int), :, :, 0]
        return self.score["score"] if np.isfinite(self.score["score"]) else float("inf")

    def epoch_metrics(
        self, means: dict[str, float], position: Position, board: TensorBoardWriter | None
    ) -> dict[str, float]:
        """Log an epoch's samples and statistics, and keep its generator if it is the best so far (rank 0)."""
        row = {name: value for name, value in means.items() if name != "loss"}
        row |= {f"map_{name}": value for name, value in self.score.items()}
        if board is None:
            return row
        import tensorflow as tf

        image = image_grid(self.tiles, self.colour_limits)
        with board.writer.as_default(step=position.epoch):
            for name, value in row.items():
                tf.summary.scalar(name.replace("map_", "maps/"), value)
            tf.summary.image("samples", image[None])
        with replacing(self.folder.path / "samples.png") as temporary:
            no_metadata: dict[str, Any] = {"Software": None}  # equal images are equal files
            matplotlib.image.imsave(temporary, image, format="png", metadata=no_metadata)
        earlier_scores = [earlier["map_score"] for earlier in self.history]
        if not earlier_scores or row["map_score"] < min(earlier_scores):
            with self.averaged():
                arrays = State(network=self.network.variables).arrays()
            checkpoints.save(self.folder.path / "best", position.epoch, arrays, {"score": self.score}, keep=1)
        return row

    def finish(self, wall_s: float) -> None:
        """Calibrate the best epoch's generator on all ranks, and write it with the run's record (rank 0)."""
        best = checkpoints.latest(self.folder.path / "best") if self.ranks.first else None
        if self.ranks.any(self.ranks.first and best is None):
            raise InputError(
                f"{self.folder.path / 'best'}: contains no readable checkpoint; train again with another --out"
            )
        if best is not None:
            try:
                State(network=self.network.variables).restore(best.arrays)
            except ValueError as error:
                raise InputError(f"{best.path}: {error}; train again with another --out") from error
        self.ranks.broadcast(self.network.variables)
        calibration: dict[str, list[float]] = {}
        offsets: list[float] = []
        if self.architecture.network == "wgan-gp":

            def generate(parameters: np.ndarray, number: int) -> np.ndarray:
                return self.generate(parameters, CALIBRATION, number)

            calibration = asdict(calibrate(self.network, generate, self.model, *self.fitting_sample()))
            offsets = self.match_moments()
        if best is not None:
            manifest = self.data.manifest
            parameters = self.data.parameters(self.records) if self.architecture.conditions else np.empty((1, 0))
            low, high = parameters.min(axis=0).tolist(), parameters.max(axis=0).tolist()
            names = manifest.parameter_names if self.architecture.conditions else ()
            metadata = map_metadata(manifest, names)
            ranges = dict(zip(names, zip(low, high, strict=True), strict=True))
            config = GeneratorConfig.from_lognormal_model(self.architecture, self.model, self.training.precision)
            facts = {
                "fields": asdict(FieldProperties.of(manifest)),
                "parameters": asdict(ParameterSpace(ranges=ranges, fixed=metadata["fixed"])),
                "data": provenance(manifest), "training": asdict(self.training), "versions": versions(),
            }  # fmt: skip
            Bundle.of("emulator", config, self.network, facts, splits_table(manifest)).write(self.folder.bundle)
            self.folder.write_record("emulator", {
                "fingerprint": self.fingerprint, "data": str(self.data.path), "names": list(names),
                "low": low, "high": high, **metadata, "best_epoch": best.step,
                "score": best.state["score"], "calibration": calibration,
                "moment_matching": offsets, **self.record(wall_s),
            })  # fmt: skip
        self.ranks.barrier()

    def match_moments(self) -> list[float]:
        """Match the mean statistics to the simulations'; return the rms offset at ten or more steps on the way."""
        t, r = self.training, self.ranks
        if not t.moment_matching_steps:
            return []
        matching = MomentMatching(
            self.network, self.architecture, self.model, r.sum, batch=t.global_batch, steps=t.moment_matching_steps,
            rate=t.moment_matching_rate, precision=t.precision,
        )  # fmt: skip
        indices, weights = self.rank_share()
        offsets = []
        total = matching.offset_batches + t.moment_matching_steps
        with progress("Moment matching", total, "steps", show=r.first) as advance:
            for number in range(total):
                key = (t.seed, MOMENT_MATCHING, number)
                chosen = np.random.default_rng(key).integers(len(self.records), size=t.global_batch)[indices]
                inputs, _ = draw_inputs(self.architecture, key, indices)
                inputs |= self.parameter_inputs(self.parameters(self.records[chosen]))
                if number < matching.offset_batches:
                    matching.measure_offset((inputs, weights / np.float32(matching.offset_batches)))
                else:
                    offsets.append(float(matching.step((inputs, weights))["offset"]))
                advance(1, note=f"offset {offsets[-1]:.3f}" if offsets else "")
        return offsets[t.moment_matching_steps // 10 - 1 :: max(1, t.moment_matching_steps // 10)]


def map_metadata(manifest: Manifest, names: Sequence[str]) -> dict[str, Any]:
    """Return the metadata that an emulator's maps share with its training maps.

    Parameters
    ----------
    manifest
        Manifest of the training maps.
    names
        Parameters that the emulator is conditioned on, which are not part of the metadata.
    """
    simulations = [simulation.parameters for simulation in manifest.simulations]
    others = {name: value for name, value in (simulations[0] if simulations else {}).items() if name not in names}
    return {
        "side_deg": manifest.side_deg, "box_mpc_h": manifest.box_mpc_h, "units": manifest.units,
        "redshifts": list(manifest.redshifts),
        "multipoles": None if manifest.multipoles is None else list(manifest.multipoles),
        "fixed": {
            name: value for name, value in others.items() if all(other.get(name) == value for other in simulations)
        },
    }  # fmt: skip
