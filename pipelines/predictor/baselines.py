"""Baselines of a molecular predictor: a random forest on Morgan fingerprints, and the mean of the training labels."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from tenfold.emulators.reference import element_counts
from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.shards import MoleculeShards

TREES = 200
SELECTION_TREES = 50
"""Trees of the forests that are compared on the validation split, with and without a composition model."""
MAX_TRAINING_MOLECULES = 20_000
"""Largest number of training molecules of a forest."""
MIN_VALIDATION_LABELS = 8
"""Validation labels needed for the selection; with fewer, only extensive targets get the composition model."""


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Baseline predictions of T targets for the n test molecules."""

    predictions: dict[str, np.ndarray]
    """``random_forest`` and ``training_mean``: value and standard deviation, or probability of class 1, shape
    (n, T, 2)."""
    composition_residual_targets: tuple[str, ...]
    """Targets for which the forest is fitted to the residuals of a linear model of the composition."""


@dataclass(frozen=True, kw_only=True)
class CompositionModel:
    """Linear model of a property: an intercept and a contribution per atom of each of E elements."""

    intercept: float
    coefficients: np.ndarray
    """Contribution of an atom of each element, shape (E,)."""

    @classmethod
    def fit(cls, counts: np.ndarray, labels: np.ndarray) -> Self:
        """Fit to element counts (n, E) and labels (n,) by least squares; an absent element gets the coefficient 0."""
        design = np.column_stack([np.ones(len(counts)), counts])
        solution = np.linalg.lstsq(design, labels, rcond=None)[0]
        return cls(intercept=float(solution[0]), coefficients=solution[1:])

    def predict(self, counts: np.ndarray) -> np.ndarray:
        """Predict from element counts, shape (n, E): shape (n,)."""
        return self.intercept + counts @ self.coefficients


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Random forest on fingerprint bits, for a property or for its residuals from a composition model."""

    trees: RandomForestRegressor
    composition: CompositionModel | None

    @classmethod
    def fit(cls, bits: np.ndarray, counts: np.ndarray | None, labels: np.ndarray, *, trees: int, seed: int) -> Self:
        """Fit to bits (n, 2048) and labels (n,), or with element counts (n, E) to residuals of a composition model."""
        composition = None if counts is None else CompositionModel.fit(counts, labels)
        residuals = labels if composition is None or counts is None else labels - composition.predict(counts)
        model = RandomForestRegressor(trees, n_jobs=-1, random_state=seed, max_features="sqrt").fit(bits, residuals)
        return cls(trees=model, composition=composition)

    def predict(self, bits: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation over the trees, shape (n, 2)."""
        trees = np.stack([tree.predict(bits) for tree in self.trees.estimators_])
        base = 0.0 if self.composition is None else self.composition.predict(counts)
        return np.stack([base + trees.mean(0), np.maximum(trees.std(0), 1e-9)], axis=-1)


@dataclass(frozen=True, kw_only=True)
class _ForestData:
    """Input and labels of a forest for n molecules."""

    bits: np.ndarray
    counts: np.ndarray
    labels: np.ndarray
    """Shape (n, T), NaN where missing."""

    @classmethod
    def read(cls, data: MoleculeShards, rows: np.ndarray) -> "_ForestData":
        return cls(
            bits=np.unpackbits(morgan_fingerprints(data.smiles(rows)), axis=1), counts=composition(data, rows),
            labels=data.targets(rows),
        )  # fmt: skip


def fit_baselines(data: MoleculeShards, test: np.ndarray, kind: str, seed: int) -> Baselines:
    """Fit the baselines to the training split, and predict the test molecules.

    A forest averages the labels of similar molecules and cannot represent a property that is additive over atoms, such
    as an energy. For regression it is therefore also fitted to the residuals of a linear model of the composition, and
    the better of the two on the validation split is selected for each target.

    Parameters
    ----------
    data
        Shards of molecules.
    test
        Indices of the molecules to predict, shape (n,).
    kind
        ``"regression"`` or ``"classification"``.
    seed
        Seed of the forests, and of the random subset of more than `MAX_TRAINING_MOLECULES` training molecules.
    """
    train = data.split("train")
    labels = data.targets(train)
    fitted, tested = _ForestData.read(data, training_sample(train, seed)), _ForestData.read(data, test)
    validation = None
    if kind == "regression":
        validation = _ForestData.read(data, data.split("validation")[:MAX_TRAINING_MOLECULES])
    forest, mean = (np.full((len(test), labels.shape[1], 2), np.nan) for _ in range(2))
    on_residuals = []
    for t, target in enumerate(data.manifest.targets):
        known = np.isfinite(fitted.labels[:, t])
        mean[:, t] = np.nanmean(labels[:, t]), np.nanstd(labels[:, t])
        bits, values = fitted.bits[known], fitted.labels[known, t]
        if validation is not None:
            extensive = target.physical == "extensive"
            counts = fitted.counts[known] if _composition_helps(fitted, validation, t, seed, extensive) else None
            on_residuals += [target.name] if counts is not None else []
            forest[:, t] = Forest.fit(bits, counts, values, trees=TREES, seed=seed).predict(tested.bits, tested.counts)
        elif len(np.unique(values)) == 2:
            model = RandomForestClassifier(TREES, n_jobs=-1, random_state=seed).fit(bits, values)
            forest[:, t, 0] = model.predict_proba(tested.bits)[:, 1]
        else:
            forest[:, t] = mean[:, t]
    return Baselines(
        predictions={"random_forest": forest, "training_mean": mean}, composition_residual_targets=tuple(on_residuals)
    )


def training_sample(train: np.ndarray, seed: int) -> np.ndarray:
    """Return the training molecules of a forest: all, or a random subset of `MAX_TRAINING_MOLECULES`."""
    if len(train) <= MAX_TRAINING_MOLECULES:
        return train
    return np.random.default_rng(seed).choice(train, MAX_TRAINING_MOLECULES, replace=False)


def composition(data: MoleculeShards, rows: np.ndarray) -> np.ndarray:
    """Return the element counts of molecules, shape (n, E); implicit hydrogens are in the last column."""
    featuriser, graphs = data.manifest.featuriser, data.graphs(rows)
    columns = featuriser.layout.atoms
    counts = element_counts(graphs, columns[0].width)
    if featuriser.hydrogens:
        return counts
    hydrogens = next(index for index, column in enumerate(columns) if column.name == "hydrogens")
    sums = np.concatenate([[0], np.cumsum(graphs.atoms[:, hydrogens], dtype=np.int64)])
    return np.column_stack([counts, np.diff(sums[graphs.atom_offsets])])


def _composition_helps(fitted: _ForestData, validation: _ForestData, t: int, seed: int, extensive: bool) -> bool:
    """Return whether a composition model lowers the forest's mean absolute error on the validation split.

    With too few validation labels, return whether the target is extensive.
    """
    known, labelled = np.isfinite(fitted.labels[:, t]), np.isfinite(validation.labels[:, t])
    if labelled.sum() < MIN_VALIDATION_LABELS:
        return extensive
    errors = []
    for counts in (None, fitted.counts[known]):
        forest = Forest.fit(fitted.bits[known], counts, fitted.labels[known, t], trees=SELECTION_TREES, seed=seed)
        predicted = forest.predict(validation.bits[labelled], validation.counts[labelled])[:, 0]
        errors.append(np.abs(predicted - validation.labels[labelled, t]).mean())
    return bool(errors[1] < errors[0])
