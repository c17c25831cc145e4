"""Baselines of a network of several classes: a random forest on Morgan fingerprints, and the classes' frequencies."""

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.rivals import TREES, training_sample


def fit_class_rivals(data: MoleculeShards, test: np.ndarray, counts: Sequence[int], seed: int) -> dict[str, np.ndarray]:
    """Fit what a network of several classes must beat to the training split, and predict the test molecules.

    Parameters
    ----------
    data
        Molecules.
    test
        Indices of those to predict, shape (n,).
    counts
        Classes of each target, T values.
    seed
        Of the forest, and of which molecules it learns from where these are many.

    Returns
    -------
    dict
        ``random_forest`` and ``mean``: probabilities of each class, shape (n, T, largest number of classes).
    """
    train = data.split("train")
    labels = data.targets(train)
    few = training_sample(train, seed)
    own = data.targets(few)
    bits, asked = (np.unpackbits(morgan_fingerprints(data.smiles(rows)), axis=1) for rows in (few, test))
    forest, mean = (np.zeros((len(test), len(counts), max(counts))) for _ in range(2))
    for t, count in enumerate(counts):
        codes = labels[np.isfinite(labels[:, t]), t].astype(int)
        mean[:, t, :count] = np.bincount(codes, minlength=count) / len(codes)
        known = np.isfinite(own[:, t])
        model = RandomForestClassifier(TREES, n_jobs=1, random_state=seed).fit(bits[known], own[known, t].astype(int))
        forest[:, t, model.classes_] = model.predict_proba(asked)
    return {"random_forest": forest, "mean": mean}
