"""Phase-randomised (Gaussian) surrogates of boxes: Gaussian random fields with the power spectrum of each box."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numba
import numpy as np
import scipy.fft

from tenfold.hpc.cluster import map_unordered
from tenfold.hpc.engine import Engine
from tenfold.hpc.progress import progress
from tenfold.hpc.scheduler import check_reachable
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.simulation.boxes import read_box_record
from tenfold.pipelines.simulation.simulate import SimulationSummary
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.stats.power import overdensity, shell_sums


def gaussian_surrogate(delta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a Gaussian random field with exactly the binned power spectrum of delta.

    White noise is rescaled in shells one fundamental mode wide, as in `tenfold.stats.power` and out to the corners of
    the Fourier cube, so that the power of every shell equals that of delta to rounding. The surrogate shares nothing
    else with delta.

    Parameters
    ----------
    delta
        Overdensity, shape (N, N, N) or (N, N, N, C). All channels share the same white noise.
    rng
        Source of the white noise.

    Returns
    -------
    np.ndarray
        Overdensity of the surrogate, float32, same shape as delta. Values below −1 can occur.
    """
    if delta.ndim not in (3, 4) or len(set(delta.shape[:3])) != 1:
        raise ValueError(f"gaussian_surrogate needs shape (N, N, N) or (N, N, N, C), found {delta.shape}")
    side = delta.shape[0]
    white = scipy.fft.rfftn(rng.standard_normal((side, side, side), dtype=np.float32), workers=1)
    flat = np.ones(side)
    noise, _, _ = shell_sums(white, flat)
    channels = delta.reshape(side, side, side, -1)
    surrogate = np.empty(channels.shape, np.float32)
    for channel in range(channels.shape[3]):
        modes = scipy.fft.rfftn(np.ascontiguousarray(channels[..., channel], np.float32), workers=1)
        power, _, _ = shell_sums(modes, flat)
        amplitude = np.sqrt(np.divide(power, noise, out=np.zeros_like(power), where=noise > 0))
        surrogate[..., channel] = np.asarray(scipy.fft.irfftn(_scaled(white, amplitude), s=(side,) * 3, workers=1))
    return surrogate.reshape(delta.shape)


@numba.njit(cache=True)
def _scaled(modes, amplitude):
    side = modes.shape[0]
    out = np.empty_like(modes)
    for i in range(side):
        x = i if 2 * i <= side else i - side
        for j in range(side):
            y = j if 2 * j <= side else j - side
            for z in range(modes.shape[2]):
                out[i, j, z] = modes[i, j, z] * np.float32(amplitude[int(np.sqrt(float(x * x + y * y + z * z)))])
    out[0, 0, 0] = 0
    return out


def simulate_surrogates(
    boxes: Path | str, out: Path | str, *, seed: int, processes: int = 2, dask: str = ""
) -> SimulationSummary:
    """Write the Gaussian surrogate of every box: a Gaussian overdensity with the P(k) of the box.

    Parameters
    ----------
    boxes
        Folder of boxes, from `simulate_volumes`.
    out
        Output folder, other than `boxes`. Files have the names and layout of the boxes; `full` is δ, float32.
    seed
        Seed of the white noise.
    processes
        Number of parallel processes on this machine.
    dask
        Dask scheduler that does the work instead: tcp://HOST:PORT, tls://HOST:PORT, or its file.

    Returns
    -------
    SimulationSummary
        Numbers of new and existing surrogates.

    Raises
    ------
    InputError
        There are no boxes, or `out` contains surrogates of other boxes or of another seed.

    Example
    -------
    >>> from tenfold.pipelines import simulate_surrogates
    >>> simulate_surrogates("boxes", "surrogates", seed=1, processes=1).made
    20
    """
    start = time.monotonic()
    engine = Engine(processes=processes, scheduler=dask)
    sources = sorted(engine.path(Path(boxes)).glob("box_*.h5"))
    if not sources:
        raise InputError(f"{boxes}: found no box_*.h5. Simulate boxes first: tenfold simulate volumes --out {boxes}")
    if Path(out).resolve() == Path(boxes).resolve():
        raise InputError(f"{out}: surrogates need another folder than the boxes")
    out = engine.path(Path(out))
    todo = [source for source in sources if not _is_surrogate(out / source.name, source, seed)]
    if todo:
        check_reachable(engine)
    names = {source.name for source in sources}
    OutputFolder.claim(out, names, alone=True, known=names - {source.name for source in todo})
    with progress("Gaussian surrogates", total=len(todo), unit="box") as advance:
        work = partial(_write_surrogate, out, seed)
        for _ in map_unordered(work, todo, engine, shared=out, inputs=todo):
            advance()
    return SimulationSummary(out, len(todo), len(sources) - len(todo), time.monotonic() - start)


def _origin(source: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Attributes that identify the box and the seed of a surrogate."""
    return {"universe_tag": source["universe_tag"], "config": source["config"], "surrogate_seed": seed}


def _is_surrogate(path: Path, source: Path, seed: int) -> bool:
    if not path.exists():
        return False
    attributes, _ = read_box_record(path)
    expected = _origin(read_box_record(source)[0], seed)
    differing = [key for key, value in expected.items() if attributes.get(key) != value]
    if differing:
        raise InputError(f"{path}: not the surrogate of {source} with seed {seed} (different: {', '.join(differing)}).")
    return True


def _write_surrogate(out: Path, seed: int, source: Path) -> None:
    with (
        replacing(out / source.name) as temporary,
        h5py.File(source, "r") as box,
        h5py.File(temporary, "w") as surrogate,
    ):
        full = np.asarray(box["full"])
        delta = np.stack([overdensity(full[..., channel]) for channel in range(full.shape[3])], axis=-1)
        box_seed = int(box.attrs["seed"])
        surrogate.create_dataset("full", data=gaussian_surrogate(delta, np.random.default_rng([seed, box_seed])))
        for name in ("physPar", "unitPar", "namePar", "redshifts"):
            box.copy(name, surrogate)
        for key, value in {**box.attrs, **_origin(box.attrs, seed), "units": "overdensity"}.items():
            surrogate.attrs[key] = value
