"""Training of a molecular predictor on one rank: data, network, predictions and bundle."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any, get_args

import numpy as np

from tenfold.emulators.graph_batches import collate, plan_batches
from tenfold.emulators.losses import masked_cross_entropy, masked_gaussian_nll
from tenfold.emulators.mpnn import MPNN
from tenfold.emulators.reference import fit_standardisation
from tenfold.emulators.training import Position, RegressionTraining, adamw, regression_step
from tenfold.hpc.order import Order, steps_per_epoch
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.published import citation
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.calibration import calibrate
from tenfold.pipelines.predictor.config import Kind, PredictorConfig, Target
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.predictor.scores import score_binary, score_multiclass, score_regression
from tenfold.pipelines.training.run import TrainingRun
from tenfold.pipelines.training.run_folder import RunFolder, versions

SORTING_WINDOW = 16
"""Batches within which molecules are sorted by size, for networks that pad every molecule to the largest."""
MOLECULES_AT_ONCE = 65_536
"""Molecules read together when their sizes are counted."""


class MoleculeTraining(TrainingRun):
    """Training of a molecular predictor on this rank."""

    def __init__(
        self, data: MoleculeShards, folder: RunFolder, network: MPNN, training: RegressionTraining, ranks: Ranks
    ):
        self.data = data
        self.kind: Kind = kind_of(data)
        records, labels = data.split("train"), data.targets(data.split("train"))
        known = np.isfinite(labels).any(axis=1)
        self.records, self.labels = records[known], labels[known]
        if not len(self.records):
            raise InputError(
                f"{data.path}: no molecule of the training split has a label; ingest more or other molecules"
            )
        self.config = replace(predictor_config(data, self.records, network, self.kind), precision=training.precision)
        self.sizes = np.concatenate([data.graphs(chunk).sizes for chunk in chunks(self.records)])
        super().__init__(
            folder, self.config.network(training.seed), network, training, ranks,
            samples=len(self.records), data=data.manifest.fingerprint,
            optimizer=adamw(training, steps_per_epoch(len(self.records), training.global_batch)),
        )  # fmt: skip
        self.predictor = MoleculePredictor(self.network, self.config, batch_size=max(64, training.global_batch))
        self.scale = np.array([target.scale for target in self.config.targets], np.float32)
        self.extensive = np.array([target.extensive for target in self.config.targets])
        self.step = regression_step(
            self.network, partial(self._loss, beta=training.beta), self.optimizer, ranks.sum, self.average, self._loss,
            ragged=True,
        )  # fmt: skip

    def _loss(self, truth, outputs, beta: float = 0.0):
        values, known, unit = truth
        if self.kind == "classification":
            return masked_cross_entropy(values, known, outputs)
        return masked_gaussian_nll(values, known, outputs, unit, beta)

    def truth(self, targets: np.ndarray, sizes: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels, their mask, and the unit of their errors, padded with zeros: shape (rows, T) each."""
        values, known, unit = np.zeros((3, rows, targets.shape[1]), np.float32)
        values[: len(targets)] = np.nan_to_num(targets)
        known[: len(targets)] = np.isfinite(targets)
        unit[:] = self.scale
        unit[: len(targets)] = np.where(self.extensive, self.scale * sizes[:, None], self.scale)
        return values, known, unit

    def batches(self, position: Position) -> Iterator:
        """Yield the rest of an epoch: ((inputs, (targets, known), weights), labels in the global batch)."""
        t, r, total = self.training, self.ranks, len(self.records)
        order = Order(total, t.seed).epoch(position.epoch, np.arange(total))
        window = SORTING_WINDOW if self.architecture.network == "enn-s2s" else 1
        size = -(-t.global_batch // r.size)
        for indices in plan_batches(order, self.sizes, t.global_batch, window)[position.step :]:
            records = self.records[indices]
            targets = self.labels[indices]
            labels = int(np.isfinite(targets).sum())
            mine = slice(r.rank, None, r.size)
            my_records, my_targets = records[mine], targets[mine]
            weight = my_targets.shape[1] / labels
            if not len(my_records):  # the last batch of an epoch may have fewer molecules than there are ranks
                my_records, my_targets, weight = records[:1], targets[:1], 0.0
            graphs = self.data.graphs(my_records)
            padded = collate(graphs, self.architecture, self.data.manifest.featuriser.layout, size)
            truth = self.truth(my_targets, graphs.sizes, size)
            yield (padded.inputs, truth, padded.weights * np.float32(weight)), labels

    def outputs(self, records: np.ndarray) -> np.ndarray:
        """Return the network's outputs for records, shape (n, T, M, outputs); the ranks share the work."""

        def compute(indices: np.ndarray) -> np.ndarray:
            return self.predictor.outputs(self.data.graphs(records[indices]))

        return self.ranks.compute_shared(len(records), compute)

    def validation_loss(self) -> float:
        """Return the mean loss per label of the validation split, which is divided among the ranks."""
        records = self.data.split("validation")
        if not np.isfinite(self.data.targets(records)).any():
            return float("nan")
        with self.averaged():
            outputs = self.outputs(records).astype(np.float32)
        sizes = np.concatenate([self.data.graphs(chunk).sizes for chunk in chunks(records)])
        truth = self.truth(self.data.targets(records), sizes, len(records))
        losses = np.asarray(self._loss(truth, outputs), np.float64)
        return float(losses.sum() * truth[1].shape[1] / truth[1].sum())

    def finish(self, wall_s: float) -> None:
        """Calibrate on the validation split, predict the held-out splits, and write all results (rank 0)."""
        truth, outputs = {}, {}
        with self.averaged():
            for split in ("validation", "test"):
                records = self.data.split(split)
                truth[split], outputs[split] = self.data.targets(records), self.outputs(records)
            self.predictor.calibration = calibrate(truth["validation"], outputs["validation"], self.config)
            predictions = {split: self.predictor.predictions_from_outputs(raw) for split, raw in outputs.items()}
            values = (
                {split: self.predictor.values(probability) for split, probability in predictions.items()}
                if self.config.multiclass
                else predictions
            )
            metrics = {"targets": score(self.config, truth["test"], predictions["test"], seed=self.training.seed)}
            record = {
                "fingerprint": self.fingerprint,
                "data": str(self.data.path.resolve()), "names": list(self.predictor.names),
                "kind": self.kind, "targets": [str(target) for target in self.data.manifest.targets],
                **self.record(wall_s),
            }  # fmt: skip
            if self.ranks.first:
                arrays: dict[str, np.ndarray] = {"names": np.array(self.predictor.names)}
                for split in predictions:
                    arrays |= {
                        f"{split}_record": self.data.split(split), f"{split}_true": truth[split],
                        f"{split}_mean": values[split][..., 0], f"{split}_sigma": values[split][..., 1],
                    }  # fmt: skip
                    if self.config.multiclass:
                        arrays[f"{split}_probability"] = predictions[split]
                self.folder.write_predictions(**arrays)
                manifest = self.data.manifest
                sources = {source.source: source.sha256 for source in manifest.sources}
                facts: dict[str, Any] = {
                    "data": {
                        "fingerprint": manifest.fingerprint, "sources": sources,
                        "licence": citation(sources.values()),
                    },
                    "training": asdict(self.training), "test": metrics["targets"], "versions": versions(),
                }  # fmt: skip
                self.predictor.bundle(facts, _splits(self.data)).write(self.folder.bundle)
                self.folder.write_metrics(metrics)
                self.folder.write_record("molecules", record)
        self.ranks.barrier()


def predictor_config(data: MoleculeShards, records: np.ndarray, architecture: MPNN, kind: Kind) -> PredictorConfig:
    """Return the configuration of a predictor for data; targets are scaled by the labels of the given records alone.

    Parameters
    ----------
    data
        Shards of molecules.
    records
        Indices of the training molecules.
    architecture
        Architecture of the network.
    kind
        ``"regression"`` or ``"classification"``.

    Raises
    ------
    InputError
        The network reads geometry, and the data have none.
    """
    manifest = data.manifest
    if architecture.geometric and manifest.featuriser.geometry == "none":
        raise InputError(
            f"{data.path}: holds no coordinates, and {architecture.network} needs a geometry: ingest with "
            "--set ingest.geometry=given, or embed to generate one"
        )
    targets = tuple(Target(name=target.name, unit=target.unit) for target in manifest.targets)
    if kind == "classification":
        targets = tuple(
            replace(target, classes=declared.classes)
            for target, declared in zip(targets, manifest.targets, strict=True)
        )
        return PredictorConfig(architecture=architecture, featuriser=manifest.featuriser, kind=kind, targets=targets)
    extensive = [architecture.readout != "norm" and target.physical == "extensive" for target in manifest.targets]
    fitted = fit_standardisation(data.graphs(records), data.targets(records), manifest.featuriser.layout, extensive)
    targets = tuple(
        replace(
            target, location=float(location), scale=float(scale), extensive=is_extensive,
            dipole=architecture.network == "painn" and declared.physical == "dipole",
        )
        for target, declared, location, scale, is_extensive in zip(
            targets, manifest.targets, fitted.location, fitted.scale, extensive, strict=True
        )
    )  # fmt: skip
    atoms = tuple(map(tuple, fitted.atom_reference.tolist())) if any(extensive) else None
    return PredictorConfig(
        architecture=architecture, featuriser=manifest.featuriser, kind=kind, targets=targets, atom_reference=atoms
    )


def score(config: PredictorConfig, truth: np.ndarray, predictions: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Score the predictions of a test split by target.

    Parameters
    ----------
    config
        Configuration of the predictor.
    truth
        Labels, shape (n, T), NaN where missing.
    predictions
        Values and standard deviations, shape (n, T, 2); class probabilities, shape (n, T, C), if any target has more
        than two classes. See `MoleculePredictor.predictions_from_outputs`.
    seed
        Seed of the bootstrap.
    """
    scores = {}
    for t, target in enumerate(config.targets):
        if config.kind == "regression":
            columns = truth[:, t], predictions[:, t, 0], predictions[:, t, 1]
            scores[target.name] = score_regression(*columns, name=target.name, unit=target.unit, seed=seed)
            continue
        classes = list(config.classes[t])
        if len(classes) > 2:
            scores[target.name] = score_multiclass(truth[:, t], predictions[:, t, : len(classes)], classes, seed=seed)
        else:
            probability = predictions[:, t, 1 if config.multiclass else 0]
            scores[target.name] = score_binary(truth[:, t], probability, seed=seed) | {"positive_class": classes[1]}
    return scores


def kind_of(data: MoleculeShards) -> Kind:
    """Return whether the targets of data are for regression or classification.

    Raises
    ------
    InputError
        There are targets of both kinds.
    """
    kinds: set[Kind] = {target.kind for target in data.manifest.targets}
    if len(kinds) != 1:
        by_kind = {k: [target.name for target in data.manifest.targets if target.kind == k] for k in get_args(Kind)}
        raise InputError(
            f"{data.path}: has regression targets ({', '.join(by_kind['regression']) or 'none'}) and classification "
            f"targets ({', '.join(by_kind['classification']) or 'none'}); ingest them separately and train a network "
            "for each, or declare their kinds with ingest.kinds"
        )
    return kinds.pop()


def chunks(records: np.ndarray) -> list[np.ndarray]:
    """Divide indices of records into chunks that are read together."""
    return np.split(records, np.arange(MOLECULES_AT_ONCE, len(records), MOLECULES_AT_ONCE))


def _splits(data: MoleculeShards) -> str:
    """Return the split of every molecule as CSV: source, row, split."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "row", "split"])
    for split in ("train", "validation", "test"):
        for source, row in data.keys(data.split(split)):
            writer.writerow([source, row, split])
    return text.getvalue()
