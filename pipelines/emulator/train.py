"""Emulators of mass maps, end to end: shards in, a trained generator out; maps written for any cosmology."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import h5py
from astropy.io import fits

from tenfold.emulators.adversarial import AdversarialTraining
from tenfold.emulators.gan import GAN
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.emulator.training import MassMapTraining
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import check_free, replacing, writable
from tenfold.pipelines.simulation.lensing.fits_cubes import make_header, write_cube
from tenfold.pipelines.training.run import run_training
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.shards import Shards


def train_emulator(
    data: Path | str,
    out: Path | str,
    network: GAN,
    training: AdversarialTraining,
    ranks: Ranks | None = None,
    *,
    resume: bool = False,
) -> RunFolder:
    """Train an emulator of mass maps on shards.

    ``data`` is a folder of shards, as `tenfold ingest massmaps` writes it; ``network`` and ``training`` are the
    architecture of generator and critic, and the hyper-parameters of their training. Other arguments and errors are
    those of `train_estimator`.

    Example
    -------
    >>> from tenfold.pipelines import GAN, AdversarialTraining, train_emulator
    >>> architecture = GAN(
    ...     size=16, filters=(4, 4), critic_filters=(4, 4), conditions=1, group_size=2, boundary="cropped"
    ... )
    >>> training = AdversarialTraining(
    ...     epochs=1, global_batch=16, validation_maps=8, moment_matching_steps=0, shifts=False
    ... )
    >>> train_emulator("map_data", "emulator", architecture, training).bundle.name
    'bundle.tenfold'
    """
    return run_training(Shards.open, MassMapTraining, data, out, network, training, ranks, resume=resume)


def emulate(
    run: Path | str,
    out: Path | str,
    count: int,
    parameters: Mapping[str, float],
    *,
    seed: int = 0,
    extrapolate: bool = False,
) -> Path:
    """Write maps of a trained emulator.

    Parameters
    ----------
    run
        Trained emulator: its bundle, or the folder of the run that wrote it.
    out
        File to write: ``.fits`` (as `simulation.lensing.fits_cubes` writes simulated maps) or ``.h5`` (dataset
        ``kappa``, or ``maps`` of another field, the same facts as attributes).
    count
        Number of maps.
    parameters
        The cosmology, by name.
    seed
        Of the maps.
    extrapolate
        Allow a cosmology out of the trained range.

    Raises
    ------
    InputError
        The cosmology is not one the emulator makes, the file has another ending, or is there and holds something else
        than maps of an emulator.

    Example
    -------
    >>> from tenfold.pipelines import emulate
    >>> emulate("emulator", "emulated.fits", 4, {"sigma_8": 0.8}, seed=1).name
    'emulated.fits'
    """
    out = Path(out)
    if out.suffix not in (".fits", ".h5", ".hdf5"):
        raise InputError(f"{out}: a name that ends in .fits or .h5 is needed")
    check_free(out, _is_ours)
    emulator = MassMapEmulator.load(run)
    maps = emulator.sample(count, seed=seed, extrapolate=extrapolate, **parameters)
    writable(out.parent)
    known, made_by = {**emulator.fixed, **parameters}, str(Path(run).resolve())
    if out.suffix == ".fits":
        header = make_header(
            known, units=emulator.units, side_deg=emulator.side_deg, box_mpc_h=emulator.box_mpc_h,
            periodic=emulator.periodic, redshifts=emulator.redshifts, trusted=emulator.multipoles,
            varied=tuple(emulator.ranges), seed=seed,
        )  # fmt: skip
        header["EMULATOR"] = made_by
        if emulator.multipoles is not None:
            header.add_comment("LMIN and LMAX are those of the maps that the emulator was trained on")
        write_cube(out, maps if maps.ndim == 4 else maps[..., None], header)
        return out
    facts = {
        **known, "units": emulator.units, "angle_deg": emulator.side_deg, "box_mpc_h": emulator.box_mpc_h,
        "periodic": emulator.periodic, "redshifts": emulator.redshifts or None,
        "multipoles": emulator.multipoles, "varied": " ".join(emulator.ranges), "seed": seed, "emulator": made_by,
        "version": version("tenfold"),
    }  # fmt: skip
    with replacing(out) as temporary, h5py.File(temporary, "w") as file:
        file["kappa" if emulator.units == "kappa" else "maps"] = maps
        file.attrs.update({name: value for name, value in facts.items() if value is not None})
    return out


def _is_ours(path: Path) -> bool:
    """Whether a file holds maps of an emulator."""
    try:
        if path.suffix == ".fits":
            return "EMULATOR" in fits.getheader(path)
        with h5py.File(path, "r") as file:
            return "emulator" in file.attrs
    except (OSError, ValueError, KeyError, RuntimeError):
        return False
