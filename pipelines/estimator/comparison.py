"""Three methods on the same test records: the network, the best regression from the power spectrum, the mean."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.baseline import Baseline, Choice, Estimates, features, fit, mean_estimates
from tenfold.pipelines.estimator.spectra import Spectra, measure
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.calibration import Bootstrap, rmse_ratio, scores

_BY_PARAMETER = ("true", "mean", "sigma")
METHODS = ("cnn", "power_spectrum", "mean")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Estimates of the test split by every method, and where they come from."""

    run: Path
    """Folder of the training."""
    names: tuple[str, ...]
    true: NDArray[np.float64]
    """(n, P) true parameters."""
    records: NDArray[np.int64]
    """(n,) indices into the shards."""
    simulations: NDArray
    """(n,) identity of each record's simulation."""
    estimates: dict[str, Estimates]
    """By method, for `METHODS`."""
    choices: tuple[Choice, ...]
    """The regression chosen for each parameter."""
    spectra: Spectra
    """Of the test records."""
    history: dict[str, NDArray[np.float64]]
    """Columns of the training's history, by name."""
    record: dict[str, Any]
    """The training's run.json."""
    data: Path
    """Folder of the shards."""
    manifest: Manifest


def compare(run: Path, config: Baseline | None = None) -> Comparison:
    """Hold a finished training's predictions of the test split against a power-spectrum regression and the mean.

    Both are fitted to the training and validation split of the very shards the network was trained on.

    Parameters
    ----------
    run
        Folder of the training.
    config
        How the regression is tuned.

    Raises
    ------
    InputError
        If the training has not finished, or its predictions and the shards do not belong together.
    """
    folder = RunFolder(Path(run))
    record = folder.read_record("estimator")
    found = read_predictions(folder)
    data = folder.find_data(record)
    with Shards.open(data) as shards:
        if len(shards.manifest.shape) < 4:
            raise InputError(
                f"{run}: reads maps, and the power spectrum it would be held against is that of boxes. Let it judge an "
                f"emulator, `tenfold validate EMULATOR --estimator {run}`, or see what it looks at, "
                f"`tenfold explain estimator {run}`"
            )
        names = tuple(str(name) for name in found["names"])
        test = found["test_record"]
        check_belonging(folder, shards, names, found)
        learn = np.concatenate([shards.split("train"), shards.split("validation")])
        spectra = measure(shards, np.concatenate([learn, test]))
        manifest = shards.manifest
        parameters, simulations = shards.parameters(learn), shards.simulation(learn)
    if manifest.parameter_names != names:
        parameters = parameters[:, [manifest.parameter_names.index(name) for name in names]]
    columns = features(spectra.power, spectra.mean)
    regression = fit(columns[: len(learn)], parameters, simulations, names, config)
    return Comparison(
        run=folder.path,
        names=names,
        true=found["test_true"],
        records=test,
        simulations=found["test_simulation"],
        estimates={
            "cnn": Estimates(found["test_mean"], found["test_sigma"]),
            "power_spectrum": regression.predict(columns[len(learn) :]),
            "mean": mean_estimates(parameters, len(test)),
        },
        choices=regression.choices,
        spectra=Spectra(spectra.k, spectra.modes, spectra.power[len(learn) :], spectra.mean[len(learn) :]),
        history=folder.read_history(),
        record=record,
        data=data,
        manifest=manifest,
    )


def score(comparison: Comparison, *, seed: int, draws: int) -> dict[str, Any]:
    """Score every method, and the network against the other two, draw by draw on the same simulations.

    Parameters
    ----------
    comparison
        Estimates of one test split.
    seed, draws
        Of the bootstrap.

    Returns
    -------
    dict
        By method and parameter: ``rmse``, ``low``, ``high``, and every other score with ``_low`` and ``_high``;
        ``ratio`` and ``ratio_to_mean``, how many times larger the regression's and the mean's error is than the
        network's, as ``value``, ``low``, ``high``; ``regression``, the choice made by cross-validation.

    Raises
    ------
    InputError
        If the test split has fewer than two simulations, or the network's estimates are not finite.
    """
    try:
        bootstrap = Bootstrap(comparison.simulations, seed=seed, draws=draws)
    except ValueError as error:
        raise InputError(f"{comparison.data}, test split: {error} Simulate more, or raise its fraction.") from error
    found: dict[str, Any] = {method: {} for method in METHODS}
    found |= {"ratio": {}, "ratio_to_mean": {}}
    network = comparison.estimates["cnn"]
    if not (np.isfinite(network.mean).all() and np.isfinite(network.sigma).all() and (network.sigma > 0).all()):
        raise InputError(
            f"{comparison.run}: the network's estimates are not finite, or a sigma is not positive: the training has "
            "diverged. Train again with a lower training.learning_rate."
        )
    for p, name in enumerate(comparison.names):
        true = comparison.true[:, p]
        for method in METHODS:
            estimates = comparison.estimates[method]
            found[method][name] = _flat(asdict(scores(true, estimates.mean[:, p], estimates.sigma[:, p], bootstrap)))
        cnn, spectrum, mean = (comparison.estimates[method].mean[:, p] for method in METHODS)
        found["ratio"][name] = asdict(rmse_ratio(true, cnn, spectrum, bootstrap))
        found["ratio_to_mean"][name] = asdict(rmse_ratio(true, cnn, mean, bootstrap))
    found["regression"] = {
        choice.parameter: {"method": choice.method, "cv_rmse": choice.cv_rmse} for choice in comparison.choices
    }
    return found


def gain(ratio: dict[str, float]) -> str:
    """Say what the interval of an error ratio shows about the network: "better", "worse" or "level"."""
    return "better" if ratio["low"] > 1 else "worse" if ratio["high"] < 1 else "level"


def _flat(found: dict[str, Any]) -> dict[str, float]:
    flat = {"rmse": found["rmse"]["value"], "low": found["rmse"]["low"], "high": found["rmse"]["high"]}
    for name, interval in found.items():
        if name in ("records", "simulations"):
            flat[name] = interval
        elif name != "rmse":
            flat |= {name: interval["value"], f"{name}_low": interval["low"], f"{name}_high": interval["high"]}
    return flat


def read_predictions(folder: RunFolder) -> dict[str, NDArray]:
    """Return a run's predictions of its test split: names, and test_ record, simulation, true, mean and sigma.

    Raises
    ------
    InputError
        They cannot be read.
    """
    found = folder.read_predictions(["names", *(f"test_{key}" for key in ("record", "simulation", *_BY_PARAMETER))])
    shape = (len(found["test_record"]), found["names"].size)
    for key in _BY_PARAMETER:
        if found["names"].ndim != 1 or found[f"test_{key}"].shape != shape:
            where = f"{folder.path / 'predictions.npz'}: damaged, test_{key} has shape {found[f'test_{key}'].shape}"
            raise InputError(f"{where}, where {shape} is meant. Train again.")
    return found


def check_belonging(folder: RunFolder, shards: Shards, names: tuple[str, ...], found: dict[str, NDArray]) -> None:
    """Refuse shards whose test split is not what a run's predictions are of, by `InputError`."""
    known = shards.manifest.parameter_names
    missing = [name for name in names if name not in known]
    test = found["test_record"]
    problem = ""
    if missing:
        problem = f"the shards do not have {', '.join(missing)} (they have {', '.join(known)})"
    elif not len(test):
        problem = "there is no test record"
    elif not np.array_equal(np.sort(test), shards.split("test")):
        problem = f"the predictions are of {len(test)} records, the test split has {len(shards.split('test'))} others"
    elif not np.array_equal(found["test_simulation"], shards.simulation(test)) or not np.allclose(
        found["test_true"], shards.parameters(test)[:, [known.index(name) for name in names]], rtol=1e-6
    ):
        problem = "simulations or true parameters differ"
    if problem:
        raise InputError(
            f"{folder.path} and {shards.path} do not belong together: {problem}. Train again on these data."
        )
