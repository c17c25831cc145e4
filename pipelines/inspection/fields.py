"""Inspection of volumes, maps and particle snapshots: what they state, and which settings they need."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.inspection.inspection import Inspection
from tenfold.pipelines.inspection.sphere import inspect_sphere
from tenfold.pipelines.readers.cmd_names import parse_file_name
from tenfold.pipelines.readers.fits_files import MAGIC as FITS_MAGIC
from tenfold.pipelines.readers.fits_files import open_fits
from tenfold.pipelines.readers.formats import detect_map_format, detect_volume_format, read_volumes
from tenfold.pipelines.readers.gzipped import content_head, is_gzip
from tenfold.pipelines.readers.healpix_tables import is_healpix
from tenfold.pipelines.readers.safe_hdf5 import is_hdf5, list_datasets, open_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume
from tenfold.pipelines.volumes.moments import Moments
from tenfold.pipelines.volumes.pixels import check_finite, check_masked

_UNKNOWN = "unknown"
_ASSUMED: dict[str, tuple[Any, str]] = {
    "unit_ranges": (
        {"omega_m": (0.2, 0.4), "sigma_8": (0.7, 0.9), "n_s": (0.9, 1.0), "h": (0.6, 0.8)},
        "unit_ranges={omega_m: [LOW, HIGH], …}",
    ),
    "parameters": ({_UNKNOWN: 0.0}, "table=PARAMETERS"),
    "units": (_UNKNOWN, "units=UNIT"),
    "side_deg": (1.0, "side_deg=DEGREES"),
    "pixel_arcmin": (1.0, "pixel_arcmin=ARCMIN"),
    "box_mpc_h": (1.0, "box_mpc_h=SIDE"),
    "mesh": (8, "mesh=256"),
    "length_unit": ("kpc/h", "length_unit=kpc/h"),
    "densities": ("fractions", "densities=fractions|physical"),
}
"""Metadata that a file may lack: a value with which it can be read all the same, and the setting that states it."""
_LACKING = {
    "unit_ranges": "ranges of the unit parameters",
    "parameters": "parameters",
    "units": "unit of the values",
    "side_deg": "side in degrees",
    "pixel_arcmin": "side of a pixel in arcmin",
    "box_mpc_h": "side in Mpc/h",
    "mesh": "mesh to paint the particles on",
    "length_unit": "unit of length",
}
_MOST_ASSUMED = 4
_MOST_KEYS = 24
_LEAST_SIDE, _LARGEST_ASPECT = 8, 64
"""Side of a map [pixels], and ratio of its sides."""
_LARGEST_BYTES = 2**31
"""Values of larger volumes are not read."""
_LARGEST_UNPACKED_GIB = 16.0
"""A file compressed by gzip is unpacked to at most this size."""


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """A way in which a file can be read."""

    dimensions: int
    key: str
    assumed: tuple[str, ...]
    volume: Volume
    count: int


def inspect_fields(path: Path) -> Inspection:
    """Inspect a file of volumes or maps, or a particle snapshot.

    The metadata that a file lacks are those without which it cannot be read: combinations of assumed values are tried,
    the smallest first.
    """
    try:
        if content_head(path, len(FITS_MAGIC)) == FITS_MAGIC and is_healpix(path, _LARGEST_UNPACKED_GIB):
            return inspect_sphere(path, _LARGEST_UNPACKED_GIB)
    except (UnusableFileError, OSError):
        pass  # the problem is stated below
    readings = list(_readings(path))
    if not readings:
        return Inspection(path=path, kind="", facts={}, problems=(_first_problem(path),))
    best = min(readings, key=lambda reading: (len(reading.assumed), -reading.dimensions))
    readings = [reading for reading in readings if reading.dimensions == best.dimensions]
    volume = best.volume
    noun = "volume" if best.dimensions == 3 else "map"
    kind = f"{best.count:,} {noun}{'s' if best.count > 1 else ''} ({_format(path, best)})"
    facts = _facts(best)
    if len(readings) > 1:
        facts["key"] = f"{best.key}; others: {', '.join(reading.key for reading in readings if reading is not best)}"
    problems: list[str] = []
    if "mesh" not in best.assumed and math.prod(volume.shape) * volume.dtype.itemsize <= _LARGEST_BYTES:
        try:
            facts["values"] = _values(path, best)
        except UnusableFileError as error:
            problems.append(error.reason)
    settings = [_ASSUMED[name][1] for name in best.assumed]
    cmd = parse_file_name(path)
    if cmd is not None and "parameters" in best.assumed:
        settings[best.assumed.index("parameters")] = f"camels_parameters=params_{cmd.set}_{cmd.suite}.txt"
    if best.key:
        settings.insert(0, f"key={best.key}")
    if settings:
        lacking = [_LACKING[name] for name in best.assumed if name in _LACKING]
        if lacking:
            facts["not stated"] = ", ".join(lacking)
    words = [f"--set '{setting}'" if " " in setting or "|" in setting else f"--set {setting}"
             for setting in (f"ingest.{setting}" for setting in settings)]  # fmt: skip
    what = "volumes" if best.dimensions == 3 else "massmaps"
    command = " ".join([f"tenfold ingest {what} {path}", *words, "--out data"])
    return Inspection(path=path, kind=kind, facts=facts, problems=tuple(problems), command=command)


def _readings(path: Path) -> Iterator[_Reading]:
    """Yield the ways in which a file can be read, with as few assumptions as possible for each dataset."""
    try:
        keys = ["", *_keys(path)][:_MOST_KEYS]
    except (InputError, OSError):
        return
    for dimensions in (3, 2):
        for key in keys:
            reading = _read(path, dimensions, key)
            if reading is not None:
                yield reading
                if not key:  # the file needs no key
                    break


def _read(path: Path, dimensions: int, key: str) -> _Reading | None:
    for number in range(_MOST_ASSUMED + 1):
        for assumed in itertools.combinations(_ASSUMED, number):
            if not _sensible(assumed, dimensions):
                continue
            try:
                volume, count = _first_volume(path, _stated(path, dimensions, key, assumed))
            except InputError:
                continue
            sides = volume.shape[:-1]
            if dimensions == 2 and (min(sides) < _LEAST_SIDE or max(sides) > _LARGEST_ASPECT * min(sides)):
                continue  # a table of numbers, or rows of pixels
            return _Reading(dimensions=dimensions, key=key, assumed=assumed, volume=volume, count=count)
    return None


def _sensible(assumed: tuple[str, ...], dimensions: int) -> bool:
    """Whether a combination of assumed metadata is one that a user may state."""
    sizes = [name for name in ("side_deg", "pixel_arcmin", "box_mpc_h") if name in assumed]
    of_maps = "side_deg" in assumed or "pixel_arcmin" in assumed
    return len(sizes) < 2 and not (of_maps and dimensions == 3)


def _stated(path: Path, dimensions: int, key: str, assumed: tuple[str, ...]) -> StatedMetadata:
    values = {name: _ASSUMED[name][0] for name in assumed}
    largest_gib = _LARGEST_UNPACKED_GIB if is_gzip(path) else math.inf
    return replace(StatedMetadata(dimensions=dimensions, key=key, largest_gib=largest_gib), **values)


def _first_volume(path: Path, stated: StatedMetadata) -> tuple[Volume, int]:
    volumes = read_volumes(path, stated)
    first = next(volumes, None)
    if first is None:
        raise UnusableFileError(path, "", "holds no volume")
    return first, 1 + sum(1 for _ in volumes)


def _keys(path: Path) -> list[str]:
    """Return the datasets of an HDF5 file, or the images of a FITS file, that may be fields."""
    if is_hdf5(path):
        with open_hdf5(path) as file:
            if any(name.startswith("PartType") for name in file):
                return []
            return [name for name, shape in list_datasets(file).items() if len(shape) > 1]
    if content_head(path, len(FITS_MAGIC)) != FITS_MAGIC:
        return []
    with open_fits(path, _LARGEST_UNPACKED_GIB) as opened:
        return [str(number) for number, hdu in enumerate(opened.hdus) if hdu.is_image and hdu.header["NAXIS"] > 1]


def _first_problem(path: Path) -> str:
    """Return why a file cannot be read, as maps if it is FITS and as volumes otherwise."""
    try:
        dimensions = 2 if content_head(path, len(FITS_MAGIC)) == FITS_MAGIC else 3
        _first_volume(path, StatedMetadata(dimensions=dimensions))
    except UnusableFileError as error:
        problem = f"{error.key}: {error.reason}" if error.key else error.reason
        if path.suffix == ".npy" and problem.startswith("shape"):
            problem += (
                "; or, if its last axis holds the observed pixels of maps, give their mask: --set ingest.mask=FILE"
            )
        return problem
    except (InputError, OSError) as error:
        return str(error)
    return ""


def _format(path: Path, reading: _Reading) -> str:
    try:
        return detect_volume_format(path) if reading.dimensions == 3 else detect_map_format(path)
    except UnusableFileError:
        return "unknown format"


def _facts(reading: _Reading) -> dict[str, str]:
    volume, assumed = reading.volume, reading.assumed
    *sides, channels = volume.shape
    facts = {} if "parameters" in assumed else {"simulation": volume.simulation}
    if "mesh" not in assumed:
        facts["shape"] = f"{' × '.join(map(str, sides))}{f', {channels} channels' if channels > 1 else ''}"
        facts["type"] = str(volume.dtype)
    if "units" not in assumed and volume.units:
        facts["units"] = volume.units
    if volume.box_mpc_h is not None and not {"box_mpc_h", "length_unit"} & {*assumed}:
        facts["side"] = f"{volume.box_mpc_h:g} Mpc/h"
    if volume.side_deg is not None and not {"side_deg", "pixel_arcmin"} & {*assumed}:
        facts["side"] = f"{volume.side_deg:g} degrees"
    elif volume.pixel_arcmin is not None and not {"side_deg", "pixel_arcmin"} & {*assumed}:
        facts["pixel"] = f"{volume.pixel_arcmin:g} arcmin"
    if volume.periodic is not None:
        facts["periodic"] = "yes" if volume.periodic else "no"
    if volume.redshifts:
        facts["redshifts" if len(volume.redshifts) > 1 else "redshift"] = ", ".join(f"{z:g}" for z in volume.redshifts)
    parameters = {name: value for name, value in volume.parameters.items() if name != _UNKNOWN}
    if "unit_ranges" in assumed:
        facts["parameters"] = f"unit parameters in [-1, 1] of {', '.join(parameters)}"
    elif parameters:
        facts["parameters"] = ", ".join(f"{name} = {value:g}" for name, value in parameters.items())
    if volume.mask_values:
        facts["masked"] = f"pixels of value {', '.join(f'{value:g}' for value in volume.mask_values)}"
    return facts


def _values(path: Path, reading: _Reading) -> str:
    """Return the range and moments of the first volume or map.

    Raises
    ------
    UnusableFileError
        Values are not finite, or masked, or all the same.
    """
    stated = _stated(path, reading.dimensions, reading.key, reading.assumed)
    volumes = read_volumes(path, stated)  # the file is open as long as this
    volume = next(volumes)
    moments = Moments()
    thick = max(1, volume.shape[0] // 8)
    for start in range(0, volume.shape[0], thick):
        slab = volume.read(start, min(start + thick, volume.shape[0]))
        check_finite(volume, slab)
        check_masked(volume, slab, float(slab.min()), float(slab.max()), stated.fill_values)
        moments += Moments.of(slab)
    if moments.low == moments.high:
        raise UnusableFileError(path, volume.key, f"every value is {moments.low:g}: a constant field")
    return f"{moments.low:g} to {moments.high:g}, mean {moments.mean:.4g}, standard deviation {moments.std:.4g}"
