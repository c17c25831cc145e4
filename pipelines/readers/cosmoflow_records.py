"""CosmoFlow's TFRecord files of MLPerf HPC: sub-volumes of a box, one or more `tf.train.Example` in a file.

Written by https://github.com/mlcommons/hpc: `x` holds int16 counts (N, N, N, 4) in C order, `y` four unit parameters.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile
from tenfold.pipelines.readers.cosmoflow import SPLIT_NAMES, physical_parameters
from tenfold.pipelines.readers.tf_example import read_example
from tenfold.pipelines.readers.tfrecord import read_records
from tenfold.pipelines.readers.volume import (
    StatedMetadata,
    UnusableFileError,
    Volume,
    check_array,
    cosmology_id,
    file_stem,
)

_CHANNELS = 4
_COUNT = np.dtype("<i2")
_PIECE = re.compile(r"(.+)_\d{3}")
"""Names without endings: that of the box, and the number of the sub-volume."""


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the sub-volumes in a file, whose parameters `y` must be the same.

    `y` contains Ωm, σ8, N_spec and H_0, as physical values or as unit parameters in [-1, 1], as in CosmoFlow's HDF5
    files of sub-volumes (`tenfold.pipelines.readers.cosmoflow.read_subvolumes`). All files of one box are one
    simulation: ``BOX_000.tfrecord`` … ``BOX_063.tfrecord``. Files with other names are assigned to the same simulation
    if they have the same parameters.

    Raises
    ------
    UnusableFileError
        The file is truncated or damaged, its records are not as described, or contradict the stated metadata; or the
        unit parameters have no ranges.
    """
    first: np.ndarray | None = None
    for number, data in enumerate(read_records(path, stated.largest_gib)):
        key = f"record {number}"
        try:
            features = read_example(data)
        except ValueError as error:
            raise UnusableFileError(path, key, f"not a tf.train.Example: {error}") from error
        if "x" not in features or "y" not in features:
            listed = ", ".join(sorted(features)[:12]) or "no features"
            raise UnusableFileError(path, key, f"has {listed}; expected x and y, as in CosmoFlow's files of MLPerf")
        y = features["y"].numbers
        if y.shape != (len(SPLIT_NAMES),):
            reason = f"y has {y.size} real numbers; expected {len(SPLIT_NAMES)}: {', '.join(SPLIT_NAMES)}"
            raise UnusableFileError(path, key, reason)
        first = y if first is None else first
        if not np.array_equal(y, first):
            reason = "y differs from that of record 0: a file must contain sub-volumes of one simulation"
            raise UnusableFileError(path, key, reason)
        x = _counts(features["x"].strings, stated, path, key)
        parameters = merge_parameters(
            physical_parameters(SPLIT_NAMES, y.tolist(), stated, path), stated, path, f"{key}, y"
        )
        if stated.redshifts and len(stated.redshifts) != _CHANNELS:
            raise UnusableFileError(path, key, f"{len(stated.redshifts)} redshifts stated for {_CHANNELS} channels")
        yield Volume(
            simulation=stated.simulation or _box(path) or cosmology_id(parameters),
            source=path,
            key=key,
            shape=x.shape,
            dtype=_COUNT.newbyteorder("="),
            parameters=parameters,
            varied=(),
            redshifts=stated.redshifts,
            box_mpc_h=stated.box_mpc_h,
            periodic=reconcile("periodic", False, stated.periodic, path, key),
            units=stated.units or "counts",
            read=lambda start, stop, x=x: x[start:stop].astype(_COUNT.newbyteorder("="), copy=False),
        )
    if first is None:
        raise UnusableFileError(path, "", "contains no records")


def _counts(strings: tuple[memoryview, ...], stated: StatedMetadata, path: Path, key: str) -> np.ndarray:
    """Return the counts (N, N, N, 4) of a record, without copying them."""
    length = sum(map(len, strings))
    side = round((length / (_CHANNELS * _COUNT.itemsize)) ** (1 / 3))
    shape = (side, side, side, _CHANNELS)
    if len(strings) != 1 or not side or length != side**3 * _CHANNELS * _COUNT.itemsize:
        reason = f"{len(strings)} byte strings of together {length:,} bytes; expected int16 counts (N, N, N, 4)"
        raise UnusableFileError(path, f"{key}, x", reason)
    check_array(shape, _COUNT, stated.largest_gib, path, f"{key}, x")
    return np.frombuffer(strings[0], _COUNT).reshape(shape)


def _box(path: Path) -> str:
    """Return the name of the box in the name of a file; empty if it is not ``BOX_NNN``."""
    match = _PIECE.fullmatch(file_stem(path))
    return match[1] if match else ""
