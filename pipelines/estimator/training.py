"""Training of a parameter estimator on one rank: data, network and predictions."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial

import keras
import numpy as np

from tenfold.emulators.cnn import CNN, input_statistics
from tenfold.emulators.initialisation import initialise_unit_variance
from tenfold.emulators.losses import gaussian_nll
from tenfold.emulators.symmetries import augment, symmetries_of
from tenfold.emulators.training import FieldTraining, Position, adamw, regression_step
from tenfold.hpc import order
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator, EstimatorConfig
from tenfold.pipelines.estimator.logarithm import check_logarithm
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run import TrainingRun
from tenfold.pipelines.training.run_folder import RunFolder, versions
from tenfold.pipelines.volumes.masks import with_mask
from tenfold.pipelines.volumes.provenance import FieldProperties, provenance, splits_table
from tenfold.pipelines.volumes.shards import Shards

INITIALISATION_RECORDS = 32
"""Training records that the initial weights are calibrated on."""

RECORDS_AT_ONCE = 64
"""Records read together for prediction."""


class EstimatorTraining(TrainingRun):
    """Training of a parameter estimator on this rank.

    Parameters
    ----------
    data, folder, network, training, ranks
        As of every `TrainingRun`.
    views
        Number of orientations to average over in the predictions.
    """

    def __init__(
        self, data: Shards, folder: RunFolder, network: CNN, training: FieldTraining, ranks: Ranks, views: int = 1
    ):
        self.data, self.views, self.mask = data, views, data.mask
        self.scale = np.array(data.manifest.parameter_std, dtype=np.float32)
        self.records = data.split("train")
        orientations = len(symmetries_of(network.sides))
        if views > orientations:
            raise InputError(f"proof.views: found {views}, but the fields have {orientations} orientations")
        self.config, built = build_estimator(data, network, training)
        super().__init__(
            folder, built, network, training, ranks,
            samples=len(self.records), data=data.manifest.fingerprint,
            optimizer=adamw(training, order.steps_per_epoch(len(self.records), training.global_batch)),
        )  # fmt: skip
        self.training: FieldTraining = training
        self.step = regression_step(
            self.network, partial(self._loss, beta=training.beta), self.optimizer, ranks.sum, self.average, self._loss
        )

    def _loss(self, truth, estimate, beta: float = 0.0):
        return gaussian_nll(truth, estimate, self.scale, beta)

    def read_batch(self, records: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read this rank's part of a global batch of ``count`` samples, padded to a fixed size with zero weights.

        Returns
        -------
        tuple
            Inputs, targets and sample weights.
        """
        size = -(-self.training.global_batch // self.ranks.size)
        weights = np.zeros(size, np.float32)
        weights[: len(records)] = 1 / count
        padded = np.resize(records, size) if len(records) else np.full(size, self.records[0])
        return with_mask(self.data.read(padded), self.mask), self.data.parameters(padded).astype(np.float32), weights

    def batches(self, position: Position) -> Iterator:
        """Yield the rest of an epoch: ((inputs, targets, weights), samples in the global batch)."""
        t, total = self.training, len(self.records)
        for step, samples in order.batches(
            total, t.global_batch, t.seed, position.epoch, self.ranks.rank, self.ranks.size, start=position.step
        ):
            count = min(t.global_batch, total - step * t.global_batch)
            records = self.records[samples]
            inputs, targets, weights = self.read_batch(records, count)
            if t.symmetries:
                keys = np.zeros(len(inputs), np.int64)
                keys[: len(records)] = records
                inputs = augment(inputs, position.epoch, keys, seed=t.seed, shift=t.shifts)
            yield (inputs, targets, weights), count

    def validation_loss(self) -> float:
        """Return the mean loss over the validation split, which is divided among the ranks."""
        records = self.data.split("validation")
        if not len(records):
            return float("nan")
        with self.averaged():
            mean, sigma = self.estimate(records)
        truth = self.data.parameters(records)
        return float(np.mean(0.5 * ((truth - mean) / sigma) ** 2 + np.log(sigma / self.scale)))

    def estimate(self, records: np.ndarray, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Estimate mean and σ of records, divided among the ranks: shape (n, P) each, returned on every rank."""
        estimator = Estimator(self.network, self.data.manifest.parameter_names, np.ones(len(self.scale)),
                              -(-self.training.global_batch // self.ranks.size), mask=self.mask)  # fmt: skip

        def compute(indices: np.ndarray) -> np.ndarray:
            rows = [
                np.stack(estimator.predict(self.data.read(records[indices[i : i + RECORDS_AT_ONCE]]), views), axis=-1)
                for i in range(0, len(indices), RECORDS_AT_ONCE)
            ]
            return np.concatenate(rows) if rows else np.empty((0, len(self.scale), 2))

        return tuple(np.moveaxis(self.ranks.compute_shared(len(records), compute), -1, 0))

    def finish(self, wall_s: float) -> None:
        """Predict the held-out splits, and write predictions, network and record (rank 0)."""
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
                config = replace(self.config, sigma_factor=tuple(factor.tolist()))
                manifest = self.data.manifest
                facts = {
                    "fields": asdict(FieldProperties.of(manifest)), "data": provenance(manifest),
                    "training": asdict(self.training), "versions": versions(),
                }  # fmt: skip
                Bundle.of("estimator", config, self.network, facts, splits_table(manifest)).write(self.folder.bundle)
        if self.ranks.first:
            self.folder.write_predictions(**predictions)
            self.folder.write_record("estimator", {
                "data": str(self.data.path.resolve()), "fingerprint": self.fingerprint,
                "names": list(names), "sigma_factor": factor.tolist(), "views": self.views, **self.record(wall_s),
            })  # fmt: skip
        self.ranks.barrier()


def build_estimator(data: Shards, architecture: CNN, training: FieldTraining) -> tuple[EstimatorConfig, keras.Model]:
    """Configure and build the network for data; its initial weights are calibrated on a few training records.

    Raises
    ------
    InputError
        The network or the training does not fit the data.
    """
    manifest = data.manifest
    shape = tuple(manifest.shape)
    expected = (*architecture.sides, architecture.channels)
    if shape != expected:
        width = f"--set network.width={shape[1]} " if len(shape) == 3 and shape[0] != shape[1] else ""
        raise InputError(
            f"the data have shape {shape}, the network takes {expected}: --set network.dimensions={len(shape) - 1} "
            f"--set network.size={shape[0]} {width}--set network.channels={shape[-1]}, or another --preset"
            f"{_of_maps(shape)}"
        )
    if architecture.masked != (manifest.mask is not None):
        masked = str(manifest.mask is not None).lower()
        has, takes = ("no mask", "one") if manifest.mask is None else ("a mask", "none")
        raise InputError(
            f"the data have {has}, the network takes {takes}: --set network.masked={masked}{_of_maps(shape)}"
        )
    if not manifest.parameter_names:
        raise InputError("the data are of one cosmology: no parameter varies that could be estimated")
    check_logarithm(data, architecture)
    if not manifest.periodic and (training.shifts or architecture.padding == "periodic"):
        raise InputError(
            f"{manifest.not_periodic}: --set training.shifts=false --set network.padding=same{_of_maps(shape)}"
        )
    records = data.split("train")
    chosen = records[:: max(1, len(records) // INITIALISATION_RECORDS)][:INITIALISATION_RECORDS]
    samples = with_mask(data.read(chosen), data.mask)
    mean, std = input_statistics(architecture, samples)
    config = EstimatorConfig(
        architecture=architecture, names=tuple(manifest.parameter_names),
        location=tuple(map(float, manifest.parameter_mean)), scale=tuple(map(float, manifest.parameter_std)),
        mean=tuple(mean), std=tuple(std), precision=training.precision,
    )  # fmt: skip
    network = config.network(training.seed)
    initialise_unit_variance(network, samples)
    return config, network


def _of_maps(shape: tuple[int, ...]) -> str:
    """Return where the settings of a network of maps are; in the study massmaps those sections are the emulator's."""
    if len(shape) == 4:
        return ""
    return ". With --study massmaps these settings are estimator.… and estimator_training.…"
