"""HDF5 files that Nyx's converter writes from AMReX plotfiles: fields on a grid, domain and cosmology.

Format "nyx-lyaf" of https://github.com/AMReX-Astro/Nyx and gimlet. ``/domain`` has the attributes ``shape`` and
``size``: the converter multiplies the side of the domain, in comoving Mpc, by h, so that ``size`` is in Mpc/h.
``/universe`` has Ω_b, Ω_m, Ω_Λ, h (``hubble``) and the redshift. Densities are in units of their mean.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile
from tenfold.pipelines.readers.hdf5 import read_scalar
from tenfold.pipelines.readers.parameters import canonical_parameters
from tenfold.pipelines.readers.safe_hdf5 import as_text, find_units, get_dataset, mask_values, open_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, file_stem

FORMAT = "nyx-lyaf"
_FIELDS = "native_fields"
_ALIASES = {"dm_density": "dark_matter_density", "dark_matter_density": "dm_density"}
_PARAMETERS = {"omega_b": "Omega_b", "omega_m": "Omega_m", "omega_l": "Omega_L", "hubble": "h"}
"""Attributes of ``/universe``, whose densities are Ω, and names of the parameters."""


def is_nyx(file: h5py.File) -> bool:
    """Whether an HDF5 file is one of Nyx, by its attribute or its groups."""
    return as_text(file.attrs.get("format", "")) == FORMAT or (_FIELDS in file and "domain" in file)


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the field ``stated.key``, or the only field of the file.

    The key may be ``matter_density`` or ``native_fields/matter_density``; ``dm_density`` and ``dark_matter_density``
    are the same.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, lacks the field, the domain or the cosmology, is not a cube, or contradicts
        the stated metadata; or there are several fields, and none is selected.
    """
    with open_hdf5(path) as file:
        key = _field(file, stated.key, path)
        array = get_dataset(file, key, path)
        shape = (*array.shape, 1)
        check_array(shape, array.dtype, stated.largest_gib, path, key)
        box_mpc_h = _side_mpc_h(file, array.shape, path)
        universe = _attributes(file, "universe", path)
        values = {name: read_scalar(universe[name], name, path) for name in (*_PARAMETERS, "redshift")
                  if name in universe}  # fmt: skip
        redshift = values.pop("redshift", None)
        names = [_PARAMETERS[name] for name in values]
        in_file = canonical_parameters(names, values.values(), path, "universe")
        native = array.dtype.newbyteorder("=")
        yield Volume(
            simulation=stated.simulation or file_stem(path),
            source=path,
            key=key,
            shape=shape,
            dtype=native,
            parameters=merge_parameters(in_file, stated, path, "universe"),
            varied=(),
            redshifts=reconcile(
                "redshifts", () if redshift is None else (redshift,), stated.redshifts, path, "universe"
            )
            or (),
            box_mpc_h=reconcile("box_mpc_h", box_mpc_h, stated.box_mpc_h, path, "domain"),
            periodic=reconcile("periodic", True, stated.periodic, path, "domain"),
            units=reconcile("units", find_units(array.attrs) or "", stated.units, path, key) or "",
            mask_values=mask_values(array, path),
            read=lambda start, stop: array[start:stop].astype(native, copy=False)[..., np.newaxis],
        )


def _field(file: h5py.File, wanted: str, path: Path) -> str:
    """Return the path of the selected field in the file."""
    group = file.get(_FIELDS)
    names = sorted(group) if isinstance(group, h5py.Group) else []
    key = wanted.strip("/")
    name = key.removeprefix(f"{_FIELDS}/")
    if not wanted and len(names) == 1:
        return f"{_FIELDS}/{names[0]}"
    for candidate in (name, _ALIASES.get(name, "")):
        if candidate in names:
            return f"{_FIELDS}/{candidate}"
    if key and key in file:  # such as derived_fields/tau_red
        return key
    listed = ", ".join(names[:12]) or "none"
    reason = f"the fields of this Nyx file are {listed}"
    if wanted:
        raise UnusableFileError(path, wanted, f"no such field; {reason}")
    raise UnusableFileError(path, "", f"{reason}: select one, --set ingest.key=NAME")


def _attributes(file: h5py.File, name: str, path: Path) -> dict[str, object]:
    if name not in file:
        raise UnusableFileError(path, name, "missing group; Nyx's converter writes it, so the file is not complete")
    return dict(file[name].attrs)


def _side_mpc_h(file: h5py.File, shape: tuple[int, ...], path: Path) -> float:
    """Return the side of the domain [Mpc/h], after a check of its shape."""
    domain = _attributes(file, "domain", path)
    stated, size = (np.asarray(domain.get(name, ())).reshape(-1) for name in ("shape", "size"))
    if stated.dtype.kind not in "iuf" or tuple(stated.tolist()) != shape:
        raise UnusableFileError(path, "domain", f"shape is {stated.tolist()}, but the field has {list(shape)}")
    if size.dtype.kind not in "iuf" or size.shape != (3,) or not np.isfinite(size).all() or not size.min() > 0:
        raise UnusableFileError(path, "domain", f"size is {size.tolist()}; expected three lengths [Mpc/h]")
    if not np.allclose(size, size[0], rtol=1e-6, atol=0):
        raise UnusableFileError(path, "domain", f"size is {size.tolist()} Mpc/h: not a cube")
    return float(size[0])
