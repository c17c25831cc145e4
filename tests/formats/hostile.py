"""Files that no reader may trust. Each function turns a sound CosmoFlow box into one of them."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from tests.formats.cosmoflow import NAMES, write_raw

SECRET = "secret.h5"


def _edit(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "a") as file:
        change(file)


def _without_full(path: Path) -> None:
    _edit(path, lambda file: file.__delitem__("full"))


def external_link(path: Path) -> None:
    _without_full(path)
    _edit(path, lambda file: file.__setitem__("full", h5py.ExternalLink(SECRET, "/full")))


def external_link_deep(path: Path) -> None:
    _edit(path, lambda file: file.create_group("a/b/c").__setitem__("d", h5py.ExternalLink(SECRET, "/full")))


def soft_link_through_external(path: Path) -> None:
    _without_full(path)

    def change(file: h5py.File) -> None:
        file["z"] = h5py.ExternalLink(SECRET, "/")
        file["full"] = h5py.SoftLink("/z/full")

    _edit(path, change)


def external_storage(path: Path) -> None:
    _without_full(path)
    _edit(
        path, lambda file: file.create_dataset("full", (8, 8, 8, 2), "i2", external=[(path.with_name(SECRET), 0, 2048)])
    )


def virtual_dataset(path: Path) -> None:
    _without_full(path)
    layout = h5py.VirtualLayout((8, 8, 8, 2), "i2")
    layout[...] = h5py.VirtualSource(SECRET, "full", (8, 8, 8, 2))
    _edit(path, lambda file: file.create_virtual_dataset("full", layout))


def soft_loop(path: Path) -> None:
    _without_full(path)

    def change(file: h5py.File) -> None:
        file["full"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/full")

    _edit(path, change)


def hard_loop(path: Path) -> None:
    _edit(path, lambda file: file.create_group("group").__setitem__("up", file["/"]))


def huge_shape(path: Path) -> None:
    """10^12 elements, of which none was ever written: a file of a few kB."""
    _without_full(path)
    _edit(path, lambda file: file.create_dataset("full", (10_000, 10_000, 10_000, 1), "i2"))


def huge_shape_chunked(path: Path) -> None:
    _without_full(path)
    _edit(
        path,
        lambda file: file.create_dataset(
            "full", (10_000,) * 3 + (1,), "i2", chunks=(50,) * 3 + (1,), compression="gzip"
        ),
    )
    _edit(path, lambda file: file["full"].__setitem__((0, 0, 0, 0), 1))


def never_written(path: Path) -> None:
    _without_full(path)
    _edit(path, lambda file: file.create_dataset("full", (8, 8, 8, 2), "i2"))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("Om=0.3, s8=0.8\n")


def damaged(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[100:600] = bytes(500)
    path.write_bytes(raw)


def missing_key(path: Path) -> None:
    _edit(path, lambda file: file.__delitem__("physPar"))


def wrong_name(path: Path) -> None:
    write_raw(path, 1, namePar=np.array([b"Omega_m", b"sigma_9", *NAMES[2:]]))


def unit_for_physical(path: Path) -> None:
    write_raw(path, 1, physPar=[-0.5, 0.2, 0.1, -0.9])


def group_for_dataset(path: Path) -> None:
    write_raw(path, 1, full=None)
    _edit(path, lambda file: file.create_group("full"))


def text_for_counts(path: Path) -> None:
    write_raw(path, 1, full=np.full((8, 8, 8, 2), b"nine"))


def complex_values(path: Path) -> None:
    write_raw(path, 1, full=np.ones((8, 8, 8, 2), complex))


def not_a_cube(path: Path) -> None:
    write_raw(path, 1, full=np.ones((8, 8, 4, 2), np.int16))


def redshifts_too_many(path: Path) -> None:
    write_raw(path, 1, redshifts=[0.0, 0.5, 1.5])


BEFORE_READING = {
    external_link: "external link refused",
    external_link_deep: "external link refused",
    soft_link_through_external: "external link refused",
    external_storage: "external storage refused",
    virtual_dataset: "virtual dataset refused",
    soft_loop: "soft link refused",
    hard_loop: "loop of groups refused",
    huge_shape: "requires 2,000,000,000,000 bytes, but 0 are stored",
    huge_shape_chunked: "8,000,000 chunks, but 1 are stored",
    never_written: "requires 2,048 bytes, but 0 are stored",
    truncated: "not a complete HDF5 file",
    empty: "empty file",
    text: "neither HDF5 nor NPY",
    damaged: "damaged",
    missing_key: "missing key; the file contains full, namePar",
    wrong_name: "unknown parameter 'sigma_9'; known are omega_m, sigma_8",
    unit_for_physical: "is out of range",
    group_for_dataset: "is a group, not a dataset",
    text_for_counts: "not an array of numbers|expected integers or real numbers",
    complex_values: "not an array of numbers",
    not_a_cube: "not a cube",
    redshifts_too_many: "3 redshifts for 2 channels",
}
"""Defects of hostile files, each with the message of its refusal, before any voxel is read."""


def nan(path: Path) -> None:
    full = np.ones((8, 8, 8, 2), np.float32)
    full[3, 4, 5, 1] = np.nan
    full[7, 4, 5, 1] = np.inf
    write_raw(path, 1, full=full)


def negative_counts(path: Path) -> None:
    full = np.ones((8, 8, 8, 2), np.int16)
    full[0, 0, 0, 0] = -32768
    write_raw(path, 1, full=full)


def constant(path: Path) -> None:
    write_raw(path, 1, full=np.ones((8, 8, 8, 2), np.int16))


def particles_lost(path: Path) -> None:
    full = write_raw(path, 1)
    full[np.unravel_index(full.argmax(), full.shape)] -= 1
    write_raw(path, 1, full=full)
    _edit(path, lambda file: file.attrs.__setitem__("particles", 8))


IN_THE_VALUES = {
    nan: r"2 values are NaN or infinite, the first at \(3, 4, 5, 1\)",
    negative_counts: "negative counts",
    constant: "every value is 1",
    particles_lost: "add up to",
}
"""What can only be found by reading the voxels."""
