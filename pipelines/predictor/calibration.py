"""Calibration of a molecular predictor on held-out labels."""

import numpy as np

from tenfold.pipelines.predictor.config import PredictorConfig
from tenfold.pipelines.predictor.predictor import combine_ensemble
from tenfold.pipelines.predictor.probabilities import ensemble_log_probabilities, positive_logit
from tenfold.stats.platt import platt
from tenfold.stats.temperature import inverse_temperature

MIN_CALIBRATION_LABELS = 8
"""Smallest number of labels for a calibration; with fewer, predictions stay uncalibrated."""


def calibrate(truth: np.ndarray, outputs: np.ndarray, config: PredictorConfig) -> np.ndarray:
    """Fit the calibration of each target on held-out labels: shape (T, 2).

    Parameters
    ----------
    truth
        Labels, shape (n, T), NaN where missing.
    outputs
        Raw outputs of the network, shape (n, T, M, outputs).
    config
        Configuration of the predictor. Regression targets get a factor for their standard deviations, two classes
        Platt scaling, and more classes a temperature.
    """
    calibration = np.tile([1.0, 0.0], (truth.shape[1], 1))
    uncalibrated = combine_ensemble(outputs, calibration) if config.kind == "regression" else positive_logit(outputs)
    log_probabilities = ensemble_log_probabilities(outputs) if config.multiclass else None
    for t in range(truth.shape[1]):
        known = np.isfinite(truth[:, t])
        if known.sum() < MIN_CALIBRATION_LABELS:
            continue
        count = len(config.classes[t])
        if log_probabilities is not None and count > 2:
            calibration[t, 0] = inverse_temperature(log_probabilities[known, t, :count], truth[known, t])
        elif count:
            calibration[t] = platt(uncalibrated[known, t], truth[known, t])
        else:
            pull = (truth[known, t] - uncalibrated[known, t, 0]) / uncalibrated[known, t, 1]
            calibration[t, 0] = np.sqrt(np.mean(pull**2))
    return calibration
