"""One training of a network of molecules, on one rank: its data, its network, its predictions and its bundle."""

import csv
import io
import resource
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
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.predictor import Kind, Learnt, MoleculePredictor, Target, calibrated
from tenfold.pipelines.predictor.probabilities import joined_logits, positive_logit
from tenfold.pipelines.predictor.scores import score_classes, score_multiclass, score_regression
from tenfold.pipelines.training.run import TrainingRun
from tenfold.pipelines.training.run_folder import RunFolder, versions
from tenfold.stats.platt import platt
from tenfold.stats.temperature import inverse_temperature

WINDOW = 16
"""Batches among which molecules are sorted by size, for networks that pad each to the largest."""
PART = 65_536
"""Molecules read at once to be counted."""
FEWEST = 8
"""Validation labels that a calibration is fitted to."""


class MoleculeTraining(TrainingRun):
    """One training of a network of molecules, on this rank.

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
    """

    def __init__(
        self, data: MoleculeShards, folder: RunFolder, network: MPNN, training: RegressionTraining, ranks: Ranks
    ):
        self.data = data
        self.kind: Kind = kind_of(data)
        records, labels = data.split("train"), data.targets(data.split("train"))
        known = np.isfinite(labels).any(axis=1)
        self.records, self.labels = records[known], labels[known]
        if not len(self.records):
            raise InputError(f"{data.path}: no molecule of the training split has a label; ingest others, or more")
        self.learnt = replace(describe(data, self.records, network, self.kind), precision=training.precision)
        self.sizes = np.concatenate([data.graphs(part).sizes for part in parts(self.records)])
        super().__init__(
            folder, self.learnt.network(training.seed), network, training, ranks,
            samples=len(self.records), data=data.manifest.fingerprint,
            optimizer=adamw(training, steps_per_epoch(len(self.records), training.global_batch)),
        )  # fmt: skip
        self.predictor = MoleculePredictor(self.network, self.learnt, size=max(64, training.global_batch))
        self.scale = np.array([target.scale for target in self.learnt.targets], np.float32)
        self.extensive = np.array([target.extensive for target in self.learnt.targets])
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
        """Return labels, which are known, and the unit their errors are counted in, filled up: shape (rows, T) each."""
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
        window = WINDOW if self.shape.network == "enn-s2s" else 1
        full = -(-t.global_batch // r.size)
        for places in plan_batches(order, self.sizes, t.global_batch, window)[position.step :]:
            records = self.records[places]
            targets = self.labels[places]
            labels = int(np.isfinite(targets).sum())
            mine = slice(r.rank, None, r.size)
            part, own = records[mine], targets[mine]
            weight = own.shape[1] / labels
            if not len(part):  # the epoch's last batch may have fewer molecules than there are ranks
                part, own, weight = records[:1], targets[:1], 0.0
            graphs = self.data.graphs(part)
            made = collate(graphs, self.shape, self.data.manifest.featuriser.layout, full)
            yield (made.inputs, self.truth(own, graphs.sizes, full), made.weights * np.float32(weight)), labels

    def outputs(self, records: np.ndarray) -> np.ndarray:
        """Return what the network says of records, each rank its share: shape (n, T, M, outputs), on every rank."""
        return self.ranks.shared(len(records), lambda places: self.predictor.outputs(self.data.graphs(records[places])))

    def validation_loss(self) -> float:
        """Return the mean loss per label of the validation split, each rank computing its share."""
        records = self.data.split("validation")
        if not np.isfinite(self.data.targets(records)).any():
            return float("nan")
        with self.averaged():
            outputs = self.outputs(records).astype(np.float32)
        sizes = np.concatenate([self.data.graphs(part).sizes for part in parts(records)])
        truth = self.truth(self.data.targets(records), sizes, len(records))
        losses = np.asarray(self._loss(truth, outputs), np.float64)
        return float(losses.sum() * truth[1].shape[1] / truth[1].sum())

    def finish(self, wall_s: float) -> None:
        """Calibrate on the validation split, predict it and the test split, and write it all (rank 0)."""
        truth, outputs = {}, {}
        with self.averaged():
            for split in ("validation", "test"):
                records = self.data.split(split)
                truth[split], outputs[split] = self.data.targets(records), self.outputs(records)
            self.predictor.calibration = calibrate(truth["validation"], outputs["validation"], self.learnt)
            found = {split: self.predictor.answers(each) for split, each in outputs.items()}
            values = (
                {name: self.predictor.values(each) for name, each in found.items()} if self.learnt.multiclass else found
            )
            metrics = {"targets": score(self.learnt, truth["test"], found["test"], seed=self.training.seed)}
            record = {
                "fingerprint": self.fingerprint,
                "data": str(self.data.path.resolve()), "names": list(self.predictor.names),
                "kind": self.kind, "targets": [str(target) for target in self.data.manifest.targets],
                "network": asdict(self.shape), "training": asdict(self.training),
                "parameters": int(self.network.count_params()), "ranks": self.ranks.size, "versions": versions(),
                "seed": self.training.seed, "wall_s": wall_s, "waiting_s": self.history[-1]["waiting"],
                "training_s": self.history[-1]["seconds"], "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
            }  # fmt: skip
            if self.ranks.first:
                arrays: dict[str, np.ndarray] = {"names": np.array(self.predictor.names)}
                for split in found:
                    arrays |= {
                        f"{split}_record": self.data.split(split), f"{split}_true": truth[split],
                        f"{split}_mean": values[split][..., 0], f"{split}_sigma": values[split][..., 1],
                    }  # fmt: skip
                    if self.learnt.multiclass:
                        arrays[f"{split}_probability"] = found[split]
                self.folder.write_predictions(**arrays)
                manifest = self.data.manifest
                sources = {source.source: source.sha256 for source in manifest.sources}
                facts: dict[str, Any] = {
                    "data": {"fingerprint": manifest.fingerprint, "sources": sources},
                    "training": asdict(self.training), "test": metrics["targets"], "versions": versions(),
                }  # fmt: skip
                self.predictor.bundle(facts, _splits(self.data)).write(self.folder.bundle)
                self.folder.write_metrics(metrics)
                self.folder.write_record("molecules", record)
        self.ranks.barrier()


def describe(data: MoleculeShards, records: np.ndarray, shape: MPNN, kind: Kind) -> Learnt:
    """Describe the network for data: features, targets, and their scaling by the labels of the training records alone.

    Raises
    ------
    InputError
        The network reads geometry, and the data have none.
    """
    manifest = data.manifest
    if shape.geometric and manifest.featuriser.geometry == "none":
        raise InputError(
            f"{data.path}: holds no coordinates, and {shape.network} reads the geometry: ingest with "
            "--set ingest.geometry=given, or embed to have them made"
        )
    targets = tuple(Target(name=target.name, unit=target.unit) for target in manifest.targets)
    if kind == "classification":
        targets = tuple(replace(each, classes=own.classes) for each, own in zip(targets, manifest.targets, strict=True))
        return Learnt(shape=shape, featuriser=manifest.featuriser, kind=kind, targets=targets)
    grows = [shape.readout != "norm" and target.physical == "extensive" for target in manifest.targets]
    fitted = fit_standardisation(data.graphs(records), data.targets(records), manifest.featuriser.layout, grows)
    targets = tuple(
        replace(
            target, location=float(location), scale=float(scale), extensive=each,
            dipole=shape.network == "painn" and known.physical == "dipole",
        )
        for target, known, location, scale, each in zip(
            targets, manifest.targets, fitted.location, fitted.scale, grows, strict=True
        )
    )  # fmt: skip
    atoms = tuple(map(tuple, fitted.atom_reference.tolist())) if any(grows) else None
    return Learnt(shape=shape, featuriser=manifest.featuriser, kind=kind, targets=targets, atom_reference=atoms)


def calibrate(truth: np.ndarray, outputs: np.ndarray, learnt: Learnt) -> np.ndarray:
    """Fit the calibration of each target to labels that the network was not trained on: shape (T, 2).

    Parameters
    ----------
    truth
        Shape (n, T), NaN where missing.
    outputs
        Of the network, shape (n, T, M, outputs).
    learnt
        Its description. Numbers get a factor for their standard deviations, two classes a logistic curve, more a
        temperature.
    """
    fitted = np.tile([1.0, 0.0], (truth.shape[1], 1))
    found = calibrated(outputs, fitted) if learnt.kind == "regression" else positive_logit(outputs)
    logits = joined_logits(outputs) if learnt.multiclass else None
    for t in range(truth.shape[1]):
        known = np.isfinite(truth[:, t])
        if known.sum() < FEWEST:
            continue
        count = len(learnt.classes[t])
        if logits is not None and count > 2:
            fitted[t, 0] = inverse_temperature(logits[known, t, :count], truth[known, t])
        elif count:
            fitted[t] = platt(found[known, t], truth[known, t])
        else:
            pull = (truth[known, t] - found[known, t, 0]) / found[known, t, 1]
            fitted[t, 0] = np.sqrt(np.mean(pull**2))
    return fitted


def score(learnt: Learnt, truth: np.ndarray, found: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Score predictions of a test split against labels (n, T), by target.

    Predictions are values and standard deviations, shape (n, T, 2); of a network with more than two classes of any
    target they are probabilities, shape (n, T, C). See `MoleculePredictor.answers`.
    """
    scores = {}
    for t, target in enumerate(learnt.targets):
        if learnt.kind == "regression":
            columns = truth[:, t], found[:, t, 0], found[:, t, 1]
            scores[target.name] = score_regression(*columns, name=target.name, unit=target.unit, seed=seed)
            continue
        classes = list(learnt.classes[t])
        if len(classes) > 2:
            scores[target.name] = score_multiclass(truth[:, t], found[:, t, : len(classes)], classes, seed=seed)
        else:
            probability = found[:, t, 1 if learnt.multiclass else 0]
            scores[target.name] = score_classes(truth[:, t], probability, seed=seed) | {"positive_class": classes[1]}
    return scores


def kind_of(data: MoleculeShards) -> Kind:
    """Whether the targets of data are numbers or classes.

    Raises
    ------
    InputError
        There are both.
    """
    kinds: set[Kind] = {target.kind for target in data.manifest.targets}
    if len(kinds) != 1:
        by_kind = {k: [target.name for target in data.manifest.targets if target.kind == k] for k in get_args(Kind)}
        raise InputError(
            f"{data.path}: holds numbers ({', '.join(by_kind['regression']) or 'none'}) and classes "
            f"({', '.join(by_kind['classification']) or 'none'}); ingest them apart and train a network for "
            "each, or say by ingest.kinds what they are"
        )
    return kinds.pop()


def parts(records: np.ndarray) -> list[np.ndarray]:
    """Cut a list of records into what is read at once."""
    return np.split(records, np.arange(PART, len(records), PART))


def _splits(data: MoleculeShards) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "row", "split"])
    for split in ("train", "validation", "test"):
        for source, row in data.keys(data.split(split)):
            writer.writerow([source, row, split])
    return text.getvalue()
