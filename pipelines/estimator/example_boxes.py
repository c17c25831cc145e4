"""Figures of a few test boxes: slices, their Gaussian surrogates, and their power spectra with CAMB's."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.pipelines.estimator import figures
from tenfold.pipelines.estimator.comparison import Comparison
from tenfold.pipelines.estimator.report import BoxFigures
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats import painting
from tenfold.stats.power import overdensity, power_spectrum

POWER_CAPTION = (
    "Power spectra of the same boxes, deconvolved with the mass-assignment window. Shot noise and aliasing are not "
    "removed and raise the power at high k. Error bars are the scatter of a Gaussian field in one box, which is large "
    "at low k; nonlinear growth transfers it to high k."
)
WINDOW_ORDER = {"counts": 1, "particles": 2}
"""Order of the mass assignment by the units of the shards: NGP for counts, CIC for particles."""
_FLAT_LCDM = {"omega_k": 0.0, "w_0": -1.0, "w_a": 0.0, "m_nu": 0.0}


def draw_example_boxes(simulations: Comparison, surrogates: Comparison | None) -> tuple[BoxFigures, dict[str, Any]]:
    """Draw four test boxes whose cosmologies span the parameter range.

    Parameters
    ----------
    simulations
        Comparison on the simulations.
    surrogates
        Comparison on their Gaussian surrogates, if there is one.

    Returns
    -------
    tuple
        The figures, and the power spectra by simulation: k, modes, measured, shot_noise, linear and hmcode2020.
    """
    rows = select_corners(simulations.true)
    with Shards.open(simulations.data) as shards:
        manifest = shards.manifest
        volumes = shards.read(simulations.records[rows])[..., 0]
    is_delta = manifest.units == "overdensity" or manifest.value.low < 0
    deltas = [volume.astype(np.float32) if is_delta else overdensity(volume) for volume in volumes]
    titles = [_title(simulations.names, true) for true in simulations.true[rows]]
    depth = max(1, manifest.shape[2] // 8)
    slices = [
        figures.field_slice(delta, manifest.box_mpc_h, title, depth=depth)
        for delta, title in zip(deltas, titles, strict=True)
    ]
    surrogate_slices = []
    if surrogates is not None and set(simulations.simulations[rows]) <= set(surrogates.simulations):
        surrogate_rows = [_matching_row(simulations, surrogates, row) for row in rows]
        with Shards.open(surrogates.data) as shards:
            surrogate_volumes = shards.read(surrogates.records[surrogate_rows])[..., 0]
        surrogate_slices = [
            figures.field_slice(delta, manifest.box_mpc_h, "Gaussian surrogate", depth=depth)
            for delta in surrogate_volumes
        ]
    if manifest.box_mpc_h is None or is_delta:
        return BoxFigures(slices=slices, surrogates=surrogate_slices), {}
    redshift = manifest.redshifts[0] if manifest.redshifts else 0.0
    cosmologies = {entry.simulation: entry.parameters for entry in manifest.simulations}
    names = [str(simulations.simulations[row]) for row in rows]
    curves = [
        _power_curve(volume, manifest, cosmologies[name] if manifest.periodic else None, redshift)
        for volume, name in zip(volumes, names, strict=True)
    ]
    power = figures.power(list(zip(titles, curves, strict=True)), redshift)
    spectra = {
        name: {key: np.asarray(values).tolist() for key, values in curve.items()}
        for name, curve in zip(names, curves, strict=True)
    }
    return BoxFigures(slices=slices, surrogates=surrogate_slices, power=power, power_caption=POWER_CAPTION), spectra


def _power_curve(
    volume: NDArray, manifest: Manifest, cosmology: dict[str, float] | None, redshift: float
) -> dict[str, Any]:
    """Measure P(k) of a volume of counts, and compute CAMB's if a cosmology is given."""
    known = manifest.units in WINDOW_ORDER
    window_order = WINDOW_ORDER.get(manifest.units, 0)
    if manifest.ingest.get("mesh"):  # painted by the ingest
        window_order = painting.WINDOW_ORDER[manifest.ingest["assignment"]]
    particles = round(float(volume.sum(dtype=np.float64))) if known else None
    spectrum = power_spectrum(
        overdensity(volume), manifest.box_mpc_h or 1.0, window_order=window_order, particles=particles
    )
    curve = {
        "k": spectrum.k, "modes": spectrum.modes, "measured": spectrum.power, "shot_noise": spectrum.shot_noise,
    }  # fmt: skip
    return curve | (theory_spectra(cosmology, spectrum.k, redshift) if cosmology else {})


def select_corners(true: NDArray[np.float64]) -> list[int]:
    """Select records near the corners of the first two parameters, each of a different cosmology.

    With a single parameter, the records are spread along its range.

    Parameters
    ----------
    true
        True parameters, shape (n, P).

    Returns
    -------
    list
        Up to four row numbers.
    """
    low, high = true.min(0), true.max(0)
    unit = (true - low) / np.where(high > low, high - low, 1)
    if true.shape[1] == 1:
        targets = np.array([[0.1], [0.37], [0.63], [0.9]])
    else:
        targets = np.array([[0.15, 0.15], [0.15, 0.85], [0.85, 0.15], [0.85, 0.85]])
    chosen: list[int] = []
    for target in targets:
        distance = ((unit[:, : len(target)] - target) ** 2).sum(1)
        taken = (true[:, None] == true[chosen]).all(-1).any(1)
        if not taken.all():
            chosen.append(int(np.where(taken, np.inf, distance).argmin()))
    return chosen


def theory_spectra(
    parameters: dict[str, float], k: NDArray[np.float64], redshift: float
) -> dict[str, NDArray[np.float64]]:
    """Compute CAMB's linear and HMcode2020 power spectra at k [h/Mpc]; {} for a cosmology beyond flat ΛCDM."""
    from tenfold.pipelines.simulation.matter_power import camb_power  # importing CAMB takes a second

    known = {field.name for field in fields(Cosmology)}
    if any(parameters.get(name, value) != value for name, value in _FLAT_LCDM.items()):
        return {}
    try:
        cosmology = Cosmology(**{name: value for name, value in parameters.items() if name in known})
    except ValueError:
        return {}
    linear, nonlinear = camb_power(cosmology, k, redshift)
    return {"linear": linear, "hmcode2020": nonlinear}


def _title(names: tuple[str, ...], true: NDArray[np.float64]) -> str:
    return ", ".join(f"{figures.symbol(name)} = {value:.2f}" for name, value in zip(names[:2], true, strict=False))


def _matching_row(simulations: Comparison, surrogates: Comparison, row: int) -> int:
    """Return the surrogates' row of the same simulation and the same position among its records."""
    name = simulations.simulations[row]
    position = int(np.flatnonzero(np.flatnonzero(simulations.simulations == name) == row)[0])
    rows = np.flatnonzero(surrogates.simulations == name)
    return int(rows[min(position, len(rows) - 1)])
