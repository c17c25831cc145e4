"""Comparison of a trained network with the power spectrum and with the training mean, on the same test records."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.baseline import Baseline, Estimates, Selection, features, fit, training_mean
from tenfold.pipelines.estimator.map_spectra import measure_maps
from tenfold.pipelines.estimator.spectra import Spectra, measure
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.calibration import Bootstrap, rmse_ratio, scores

_BY_PARAMETER = ("true", "mean", "sigma")
METHODS = ("network", "power_spectrum", "training_mean")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Estimates of the test split by every method, and the data that they were made from."""

    run: Path
    """Folder of the training run."""
    names: tuple[str, ...]
    """Names of the P parameters."""
    true: NDArray[np.float64]
    """(n, P) true parameters."""
    records: NDArray[np.int64]
    """(n,) indices into the shards."""
    simulations: NDArray
    """(n,) name of the simulation of each record."""
    estimates: dict[str, Estimates]
    """Estimates by method, see `METHODS`."""
    selections: tuple[Selection, ...]
    """Regression selected for each parameter."""
    spectra: Spectra
    """Power spectra of the test records."""
    history: dict[str, NDArray[np.float64]]
    """Columns of the training history, by name."""
    record: dict[str, Any]
    """Content of the run's run.json."""
    data: Path
    """Folder of the shards."""
    manifest: Manifest


def compare(run: Path, config: Baseline | None = None) -> Comparison:
    """Compare the test predictions of a finished training with a power-spectrum regression and the training mean.

    Both baselines are fitted to the training and validation splits of the shards that the network was trained on.

    Parameters
    ----------
    run
        Folder of the training run.
    config
        Settings of the regression.

    Raises
    ------
    InputError
        The training has not finished, or its predictions do not belong to its shards.
    """
    folder = RunFolder(Path(run))
    record = folder.read_record("estimator")
    predictions = read_predictions(folder)
    data = folder.find_data(record)
    with Shards.open(data) as shards:
        names = tuple(str(name) for name in predictions["names"])
        test = predictions["test_record"]
        check_matching(folder, shards, names, predictions)
        fitted = np.concatenate([shards.split("train"), shards.split("validation")])
        spectra = (measure_maps if len(shards.manifest.shape) == 3 else measure)(shards, np.concatenate([fitted, test]))
        manifest = shards.manifest
        parameters, simulations = shards.parameters(fitted), shards.simulation(fitted)
    if manifest.parameter_names != names:
        parameters = parameters[:, [manifest.parameter_names.index(name) for name in names]]
    columns = features(spectra.power, spectra.mean)
    regression = fit(columns[: len(fitted)], parameters, simulations, names, config)
    return Comparison(
        run=folder.path,
        names=names,
        true=predictions["test_true"],
        records=test,
        simulations=predictions["test_simulation"],
        estimates={
            "network": Estimates(predictions["test_mean"], predictions["test_sigma"]),
            "power_spectrum": regression.predict(columns[len(fitted) :]),
            "training_mean": training_mean(parameters, len(test)),
        },
        selections=regression.selections,
        spectra=replace(spectra, power=spectra.power[len(fitted) :], mean=spectra.mean[len(fitted) :]),
        history=folder.read_history(),
        record=record,
        data=data,
        manifest=manifest,
    )


def score(comparison: Comparison, *, seed: int, draws: int) -> dict[str, Any]:
    """Score every method, and compare the network with both baselines by a paired bootstrap over simulations.

    Parameters
    ----------
    comparison
        Estimates of one test split.
    seed
        Seed of the bootstrap.
    draws
        Number of bootstrap resamples.

    Returns
    -------
    dict
        ``network``, ``power_spectrum`` and ``training_mean``: scores of each parameter, each with ``_low`` and
        ``_high``. ``rmse_ratio_power_spectrum`` and ``rmse_ratio_training_mean``: rms error of the baseline divided by
        that of the network, as ``value``, ``low`` and ``high``. ``regression``: the regression selected by
        cross-validation.

    Raises
    ------
    InputError
        The test split has fewer than two simulations, or the network's estimates are not finite.
    """
    try:
        bootstrap = Bootstrap(comparison.simulations, seed=seed, draws=draws)
    except ValueError as error:
        raise InputError(f"{comparison.data}, test split: {error} Simulate more, or raise its fraction.") from error
    metrics: dict[str, Any] = {method: {} for method in METHODS}
    metrics |= {"rmse_ratio_power_spectrum": {}, "rmse_ratio_training_mean": {}}
    estimates = comparison.estimates["network"]
    if not (np.isfinite(estimates.mean).all() and np.isfinite(estimates.sigma).all() and (estimates.sigma > 0).all()):
        raise InputError(
            f"{comparison.run}: the network's estimates are not finite, or a sigma is not positive: the training has "
            "diverged. Train again with a lower training.learning_rate."
        )
    for p, name in enumerate(comparison.names):
        true = comparison.true[:, p]
        for method in METHODS:
            estimates = comparison.estimates[method]
            metrics[method][name] = _flatten(
                asdict(scores(true, estimates.mean[:, p], estimates.sigma[:, p], bootstrap))
            )
        network, *baselines = (comparison.estimates[method].mean[:, p] for method in METHODS)
        for method, baseline in zip(METHODS[1:], baselines, strict=True):
            metrics[f"rmse_ratio_{method}"][name] = asdict(rmse_ratio(true, network, baseline, bootstrap))
    metrics["regression"] = {
        selection.parameter: {"method": selection.method, "cv_rmse": selection.cv_rmse}
        for selection in comparison.selections
    }
    return metrics


def verdict(ratio: dict[str, float]) -> str:
    """Return "better", "worse" or "indistinguishable": what the interval of an error ratio shows for the network."""
    return "better" if ratio["low"] > 1 else "worse" if ratio["high"] < 1 else "indistinguishable"


def _flatten(tree: dict[str, Any]) -> dict[str, float]:
    """Flatten intervals into ``NAME``, ``NAME_low`` and ``NAME_high``; counts are kept."""
    flat: dict[str, float] = {}
    for name, entry in tree.items():
        if name in ("records", "simulations"):
            flat[name] = entry
        else:
            flat |= {name: entry["value"], f"{name}_low": entry["low"], f"{name}_high": entry["high"]}
    return flat


def read_predictions(folder: RunFolder) -> dict[str, NDArray]:
    """Return a run's test predictions: ``names``, and ``test_`` record, simulation, true, mean and sigma.

    Raises
    ------
    InputError
        The file cannot be read, or an array has the wrong shape.
    """
    arrays = folder.read_predictions(["names", *(f"test_{key}" for key in ("record", "simulation", *_BY_PARAMETER))])
    shape = (len(arrays["test_record"]), arrays["names"].size)
    for key in _BY_PARAMETER:
        if arrays["names"].ndim != 1 or arrays[f"test_{key}"].shape != shape:
            problem = f"{folder.path / 'predictions.npz'}: damaged, test_{key} has shape {arrays[f'test_{key}'].shape}"
            raise InputError(f"{problem}, expected {shape}. Train again.")
    return arrays


def check_matching(folder: RunFolder, shards: Shards, names: tuple[str, ...], predictions: dict[str, NDArray]) -> None:
    """Check that a run's predictions are those of the test split of shards; raise `InputError` if not."""
    known = shards.manifest.parameter_names
    missing = [name for name in names if name not in known]
    test = predictions["test_record"]
    problem = ""
    if missing:
        problem = f"the shards do not have {', '.join(missing)} (they have {', '.join(known)})"
    elif not len(test):
        problem = "there is no test record"
    elif not np.array_equal(np.sort(test), shards.split("test")):
        problem = f"the predictions are of {len(test)} records, the test split has {len(shards.split('test'))} others"
    elif not np.array_equal(predictions["test_simulation"], shards.simulation(test)) or not np.allclose(
        predictions["test_true"], shards.parameters(test)[:, [known.index(name) for name in names]], rtol=1e-6
    ):
        problem = "simulations or true parameters differ"
    if problem:
        raise InputError(
            f"{folder.path} and {shards.path} do not belong together: {problem}. Train again on these data."
        )
