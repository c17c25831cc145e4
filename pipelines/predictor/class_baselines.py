"""Baselines for targets with several classes: a random forest on Morgan fingerprints, and the class frequencies."""

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tenfold.pipelines.molecules.fingerprints import morgan_fingerprints
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.predictor.baselines import TREES, training_sample


def fit_class_baselines(
    data: MoleculeShards, test: np.ndarray, counts: Sequence[int], seed: int
) -> dict[str, np.ndarray]:
    """Fit the baselines of a multi-class predictor to the training split, and predict the test molecules.

    Parameters
    ----------
    data, test
        As for `fit_baselines`.
    counts
        Number of classes of each of the T targets.
    seed
        Seed of the forest, and of the random subset of a large training split.

    Returns
    -------
    dict
        ``random_forest`` and ``training_mean``: class probabilities, shape (n, T, largest number of classes).
    """
    train = data.split("train")
    labels = data.targets(train)
    sample = training_sample(train, seed)
    sample_labels = data.targets(sample)
    bits, test_bits = (np.unpackbits(morgan_fingerprints(data.smiles(rows)), axis=1) for rows in (sample, test))
    forest, frequencies = (np.zeros((len(test), len(counts), max(counts))) for _ in range(2))
    for t, count in enumerate(counts):
        codes = labels[np.isfinite(labels[:, t]), t].astype(int)
        frequencies[:, t, :count] = np.bincount(codes, minlength=count) / len(codes)
        known = np.isfinite(sample_labels[:, t])
        model = RandomForestClassifier(TREES, n_jobs=-1, random_state=seed)
        model.fit(bits[known], sample_labels[known, t].astype(int))
        forest[:, t, model.classes_] = model.predict_proba(test_bits)
    return {"random_forest": forest, "training_mean": frequencies}
