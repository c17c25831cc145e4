"""Pictures of a few boxes: slices, their Gaussian twins, and their power spectra over CAMB's."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.pipelines.estimator import figures
from tenfold.pipelines.estimator.comparison import Comparison
from tenfold.pipelines.estimator.report import Boxes
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.power import overdensity, power_spectrum

NOTE = (
    "Power spectra of the same boxes, the window of the mass assignment divided out; shot noise and aliasing are left "
    "in and lift the right-hand end. Error bars are a Gaussian field's scatter of one box, which is large at low k and "
    "which nonlinear growth hands on to high k."
)
WINDOW = {"counts": 1, "particles": 2}  # order of the mass assignment by the shards' units: NGP counts, CIC particles


def show(simulations: Comparison, null: Comparison | None) -> tuple[Boxes, dict[str, Any]]:
    """Draw four test boxes that span the parameters.

    Parameters
    ----------
    simulations, null
        Comparisons on the simulations and on their Gaussian twins.

    Returns
    -------
    tuple
        The pictures, and the numbers of the power spectra by simulation: k, modes, measured,
        shot_noise, linear and hmcode2020.
    """
    rows = spanning(simulations.true)
    with Shards.open(simulations.data) as shards:
        manifest = shards.manifest
        volumes = shards.read(simulations.records[rows])[..., 0]
    is_delta = manifest.units == "overdensity" or manifest.value.low < 0
    deltas = [volume.astype(np.float32) if is_delta else overdensity(volume) for volume in volumes]
    titles = [
        ", ".join(
            f"{figures.symbol(name)} = {value:.2f}" for name, value in zip(simulations.names[:2], true, strict=False)
        )
        for true in simulations.true[rows]
    ]
    depth = max(1, manifest.shape[2] // 8)
    slices = [
        figures.field_slice(delta, manifest.box_mpc_h, title, depth=depth)
        for delta, title in zip(deltas, titles, strict=True)
    ]
    twins = []
    if null is not None and set(simulations.simulations[rows]) <= set(null.simulations):
        twin_rows = [_same(simulations, null, row) for row in rows]
        with Shards.open(null.data) as shards:
            twin_volumes = shards.read(null.records[twin_rows])[..., 0]
        twins = [figures.field_slice(twin, manifest.box_mpc_h, "Gaussian twin", depth=depth) for twin in twin_volumes]
    if manifest.box_mpc_h is None or is_delta:
        return Boxes(slices=slices, twins=twins), {}
    redshift = manifest.redshifts[0] if manifest.redshifts else 0.0
    cosmologies = {entry.simulation: entry.parameters for entry in manifest.simulations}
    names = [str(simulations.simulations[row]) for row in rows]
    curves = [
        _curve(volume, manifest, cosmologies[name] if manifest.periodic else None, redshift)
        for volume, name in zip(volumes, names, strict=True)
    ]
    power = figures.power(list(zip(titles, curves, strict=True)), redshift)
    numbers = {
        name: {key: np.asarray(each).tolist() for key, each in curve.items()}
        for name, curve in zip(names, curves, strict=True)
    }
    return Boxes(slices=slices, twins=twins, power=power, note=NOTE), numbers


def _curve(volume: NDArray, manifest: Manifest, cosmology: dict[str, float] | None, redshift: float) -> dict[str, Any]:
    """Measure P(k) of a volume of counts, beside CAMB's of a cosmology where one is given."""
    window = WINDOW.get(manifest.units, 0)
    particles = round(float(volume.sum(dtype=np.float64))) if window else None
    found = power_spectrum(overdensity(volume), manifest.box_mpc_h or 1.0, window_order=window, particles=particles)
    curve = {"k": found.k, "modes": found.modes, "measured": found.power, "shot_noise": found.shot_noise}
    return curve | (theory(cosmology, found.k, redshift) if cosmology else {})


def spanning(true: NDArray[np.float64]) -> list[int]:
    """Choose records near the corners of the first two parameters (or along the one), each of another cosmology.

    Parameters
    ----------
    true
        (n, P) parameters.

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


_FLAT_LCDM = {"omega_k": 0.0, "w_0": -1.0, "w_a": 0.0, "m_nu": 0.0}


def theory(parameters: dict[str, float], k: NDArray[np.float64], redshift: float) -> dict[str, NDArray[np.float64]]:
    """Ask CAMB for the linear and the HMcode2020 spectrum at k [h/Mpc]; {} for a cosmology it is not asked about."""
    from tenfold.pipelines.simulation.matter_power import camb_power  # CAMB takes a second to import

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


def _same(simulations: Comparison, null: Comparison, row: int) -> int:
    """Return the null's row of the same simulation and place among its records."""
    name = simulations.simulations[row]
    place = int(np.flatnonzero(np.flatnonzero(simulations.simulations == name) == row)[0])
    rows = np.flatnonzero(null.simulations == name)
    return int(rows[min(place, len(rows) - 1)])
