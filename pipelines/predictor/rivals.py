"""Baselines of a network of molecules: a random forest on Morgan fingerprints, and the mean of the training labels."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from tenfold.emulators.reference import element_counts
from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.shards import MoleculeShards

TREES = 200
TREES_TO_CHOOSE = 50
"""Of the forests that are compared on the validation split, with and without a composition model."""
MOST = 20_000
"""Training molecules that the forest learns from, at most."""
FEWEST = 8
"""Validation labels that a choice is made by; with fewer, targets that grow with the molecule get the model."""


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Predictions for the n test molecules, T targets."""

    predictions: dict[str, np.ndarray]
    """``random_forest`` and ``mean``: value and standard deviation, or probability of class 1, shape (n, T, 2)."""
    by_composition: tuple[str, ...]
    """Targets of which the forest learns what a linear model on composition leaves."""


@dataclass(frozen=True, kw_only=True)
class CompositionModel:
    """A property as a constant and a share of every atom, by least squares on the atoms of each element."""

    constant: float
    shares: np.ndarray
    """Shape (E,)."""

    @classmethod
    def fit(cls, counts: np.ndarray, labels: np.ndarray) -> Self:
        """Fit to atoms of each element, shape (n, E), and labels (n,); an element that no molecule has gets 0."""
        design = np.column_stack([np.ones(len(counts)), counts])
        found = np.linalg.lstsq(design, labels, rcond=None)[0]
        return cls(constant=float(found[0]), shares=found[1:])

    def predict(self, counts: np.ndarray) -> np.ndarray:
        """Answer for atoms of each element, shape (n, E): shape (n,)."""
        return self.constant + counts @ self.shares


@dataclass(frozen=True, kw_only=True)
class Forest:
    """A random forest on fingerprint bits, of a property or of what a composition model leaves of it."""

    trees: RandomForestRegressor
    composition: CompositionModel | None

    @classmethod
    def fit(cls, bits: np.ndarray, counts: np.ndarray | None, labels: np.ndarray, *, trees: int, seed: int) -> Self:
        """Fit to bits (n, 2048) and labels (n,); with atoms of each element, (n, E), to what these leave."""
        composition = None if counts is None else CompositionModel.fit(counts, labels)
        left = labels if composition is None or counts is None else labels - composition.predict(counts)
        model = RandomForestRegressor(trees, n_jobs=1, random_state=seed, max_features="sqrt").fit(bits, left)
        return cls(trees=model, composition=composition)

    def predict(self, bits: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Mean and standard deviation over the trees, shape (n, 2)."""
        trees = np.stack([tree.predict(bits) for tree in self.trees.estimators_])
        base = 0.0 if self.composition is None else self.composition.predict(counts)
        return np.stack([base + trees.mean(0), np.maximum(trees.std(0), 1e-9)], axis=-1)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What a forest sees of some molecules."""

    bits: np.ndarray
    counts: np.ndarray
    labels: np.ndarray
    """Shape (n, T), NaN where missing."""

    @classmethod
    def of(cls, data: MoleculeShards, rows: np.ndarray) -> "_Part":
        return cls(
            bits=np.unpackbits(morgan_fingerprints(data.smiles(rows)), axis=1), counts=composition(data, rows),
            labels=data.targets(rows),
        )  # fmt: skip


def fit_rivals(data: MoleculeShards, test: np.ndarray, kind: str, seed: int) -> Rivals:
    """Fit what the network must beat to the training split, and predict the test molecules.

    A forest averages the labels of similar molecules, and cannot add up atoms as an energy does. Of each property it
    is therefore also fitted to what a linear model on the atoms of each element leaves, and the better of the two on
    the validation split is taken.

    Parameters
    ----------
    data
        Molecules.
    test
        Indices of those to predict, shape (n,).
    kind
        ``"regression"`` or ``"classification"``.
    seed
        Of the forests, and of which molecules they learn from where these are more than `MOST`.
    """
    train = data.split("train")
    labels = data.targets(train)
    few = training_sample(train, seed)
    own, asked = _Part.of(data, few), _Part.of(data, test)
    judge = _Part.of(data, data.split("validation")[:MOST]) if kind == "regression" else None
    forest, mean = (np.full((len(test), labels.shape[1], 2), np.nan) for _ in range(2))
    by_composition = []
    for t, target in enumerate(data.manifest.targets):
        known = np.isfinite(own.labels[:, t])
        mean[:, t] = np.nanmean(labels[:, t]), np.nanstd(labels[:, t])
        bits, values = own.bits[known], own.labels[known, t]
        if judge is not None:
            grows = target.physical == "extensive"
            counts = own.counts[known] if _composition_helps(own, judge, t, seed, grows) else None
            by_composition += [target.name] if counts is not None else []
            forest[:, t] = Forest.fit(bits, counts, values, trees=TREES, seed=seed).predict(asked.bits, asked.counts)
        elif len(np.unique(values)) == 2:
            model = RandomForestClassifier(TREES, n_jobs=1, random_state=seed).fit(bits, values)
            forest[:, t, 0] = model.predict_proba(asked.bits)[:, 1]
        else:
            forest[:, t] = mean[:, t]
    return Rivals(predictions={"random_forest": forest, "mean": mean}, by_composition=tuple(by_composition))


def training_sample(train: np.ndarray, seed: int) -> np.ndarray:
    """Training molecules that a forest learns from: all, or `MOST` drawn at random."""
    return train if len(train) <= MOST else np.random.default_rng(seed).choice(train, MOST, replace=False)


def composition(data: MoleculeShards, rows: np.ndarray) -> np.ndarray:
    """Atoms of each element in each molecule, hydrogens that are no atoms of the graph in the last column: (n, E)."""
    featuriser, graphs = data.manifest.featuriser, data.graphs(rows)
    columns = featuriser.layout.atoms
    counts = element_counts(graphs, columns[0].width)
    if featuriser.hydrogens:
        return counts
    place = next(number for number, column in enumerate(columns) if column.name == "hydrogens")
    sums = np.concatenate([[0], np.cumsum(graphs.atoms[:, place], dtype=np.int64)])
    return np.column_stack([counts, np.diff(sums[graphs.atom_offsets])])


def _composition_helps(own: _Part, judge: _Part, t: int, seed: int, grows: bool) -> bool:
    """Whether a forest has the smaller mean absolute error on the validation split with a composition model.

    Where too few labels could tell, whether the target grows with the molecule decides.
    """
    known, seen = np.isfinite(own.labels[:, t]), np.isfinite(judge.labels[:, t])
    if seen.sum() < FEWEST:
        return grows
    errors = []
    for counts in (None, own.counts[known]):
        forest = Forest.fit(own.bits[known], counts, own.labels[known, t], trees=TREES_TO_CHOOSE, seed=seed)
        found = forest.predict(judge.bits[seen], judge.counts[seen])[:, 0]
        errors.append(np.abs(found - judge.labels[seen, t]).mean())
    return bool(errors[1] < errors[0])
