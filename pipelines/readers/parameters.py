"""Cosmological parameters: their names in published files, and their valid ranges."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tenfold.pipelines.readers.volume import UnusableFileError

# Canonical name: (names in the field's files, least and largest value that can be meant).
PARAMETERS = {
    "omega_m": (("Omega_m", "Omega0", "OmegaM", "Om", "Omega_M", "OMEGA_M", "Omega_0", "omegam"), 0.01, 1.0),
    "sigma_8": (("sigma_8", "sigma8", "Sigma8", "s8", "SIGMA_8", "SIGMA8", "sigma8_m"), 0.05, 3.0),
    "n_s": (("n_s", "N_spec", "ns", "N_S", "NS"), 0.2, 2.0),
    "h": (("h", "HubbleParam"), 0.2, 2.0),
    "omega_b": (("Omega_b", "OmegaB", "Ob", "Omega_B", "OMEGA_B", "OmegaBaryon"), 0.001, 0.5),
    # strengths of the feedback by supernovae and black holes in CAMELS (arXiv:2010.00619), in units of the fiducial one
    "a_sn1": (("A_SN1",), 0.01, 100.0),
    "a_agn1": (("A_AGN1",), 0.01, 100.0),
    "a_sn2": (("A_SN2",), 0.01, 100.0),
    "a_agn2": (("A_AGN2",), 0.01, 100.0),
    "omega_cdm": (("Omega_cdm", "Omega_c", "OmegaCDM", "OMEGA_C", "Ocdm", "Oc"), 0.005, 1.0),
    "omega_l": (("Omega_L", "OmegaLambda", "Omega_lambda", "Omega_Lambda", "OmegaL", "OMEGA_L", "OL"), 0.0, 1.5),
    "omega_k": (("Omega_k", "Omega_K", "OmegaK", "OMEGA_K", "Ok"), -1.0, 1.0),
    "w_0": (("w0", "W0", "W_0", "w0_fld", "w"), -5.0, 1.0),
    "w_a": (("wa", "WA", "W_A", "wa_fld"), -5.0, 5.0),
    # sum of the masses of the neutrinos [eV]
    "m_nu": (("M_nu", "Mnu", "mnu", "M_NU", "MNU", "sum_mnu"), 0.0, 10.0),
    "n_eff": (("N_eff", "Neff", "neff", "N_EFF", "NEFF"), 0.0, 20.0),
    "a_s": (("A_s", "As", "A_S"), 1e-11, 1e-6),
    "s_8": (("S_8", "S8"), 0.05, 3.0),
}
_H0_NAMES = ("H_0", "H0")
_PHYSICAL_NAMES = {
    "omega_m": ("omega_m_h2", "Omega_m_h2", "Omega_mh2", "omegamh2", "ommh2", "omh2", "w_m", "wm"),
    "omega_b": ("omega_b_h2", "Omega_b_h2", "Omega_bh2", "omegabh2", "ombh2", "obh2", "w_b", "wb"),
    "omega_cdm": ("omega_cdm_h2", "Omega_c_h2", "Omega_ch2", "omega_c_h2", "omegach2", "omch2", "w_cdm", "w_c", "wc"),
}
_EITHER = {"omega_m": "omega_m", "omega_b": "omega_b", "omega_cdm": "omega_cdm", "omega_c": "omega_cdm"}

DensityConvention = Literal["fractions", "physical"]
"""Meaning of a lower-case ``omega_b``, ``omega_m`` or ``omega_cdm``: Ω, or Ω h²."""

_BARYONS_PHYSICAL, _BARYONS_FRACTION = (0.018, 0.027), (0.03, 0.1)
_MATTER_FRACTION = 0.19
_FLAT = 2e-3
"""Maximum |Ω_k| that is attributed to radiation and neutrinos."""


def canonical_name(name: str) -> str | None:
    """Return the canonical name of a parameter from any of its names; None if the name is unknown."""
    if name in _H0_NAMES:
        return "h"
    if name in _EITHER:
        return _EITHER[name]
    for own, others in _PHYSICAL_NAMES.items():
        if name in others:
            return own
    return next((own for own, (others, *_) in PARAMETERS.items() if name == own or name in others), None)


def density_convention(
    columns: Mapping[str, Sequence[float]], stated: DensityConvention | None = None
) -> DensityConvention | None:
    """Infer whether lower-case densities are Ω or Ω h².

    For example, ``omega_b`` is Ω_b in some files, and Ω_b h² in CLASS and AbacusSummit.

    All lower-case densities of a table or file follow one convention. ``omega_b`` from 0.018 to 0.027 is Ω_b h², from
    0.03 to 0.1 Ω_b; ``omega_m`` and ``omega_cdm`` from 0.19 on are Ω. Smaller values are ambiguous (Ω_m = 0.14 and Ω_m
    h² = 0.14 are both possible cosmologies), and the user must state the convention.

    Parameters
    ----------
    columns
        Values by name: all rows of a table, or the one value in a file. Unambiguous names, such as ``Omega_b`` and
        ``ombh2``, are ignored.
    stated
        Convention that the user states, or that of tenfold's own files.

    Returns
    -------
    str or None
        None if there are no such columns.

    Raises
    ------
    ValueError
        The values are ambiguous, or contradict each other or the stated convention.
    """
    asked = {name: values for name, values in columns.items() if name in _EITHER}
    if not asked:
        return None
    found: dict[DensityConvention, str] = {} if stated is None else {stated: "ingest.densities"}
    for name, values in asked.items():
        for value in values:
            told = _told(_EITHER[name], value)
            if told is not None:
                found.setdefault(told, f"{name} = {value:g}")
    if len(found) == 1:
        return next(iter(found))
    if not all(math.isfinite(value) for values in asked.values() for value in values):
        return "fractions"  # which is refused as no value of a cosmology, with its line
    names = ", ".join(asked)
    values = ", ".join(f"{name} = {values[0]:g}" for name, values in asked.items())
    remedy = (
        f"name them Omega_… for Ω or omega_…_h2 for Ω h², or --set ingest.densities=fractions or physical ({names})"
    )
    if not found:
        raise ValueError(f"{values} may be Ω or Ω h²: {remedy}")
    raise ValueError(f"{found['fractions']} says Ω, and {found['physical']} says Ω h²: {remedy}")


def _told(name: str, value: float) -> DensityConvention | None:
    if name == "omega_b":
        if _BARYONS_PHYSICAL[0] <= value <= _BARYONS_PHYSICAL[1]:
            return "physical"
        return "fractions" if _BARYONS_FRACTION[0] <= value <= _BARYONS_FRACTION[1] else None
    return "fractions" if value >= _MATTER_FRACTION else None


def canonical_parameters(
    names: Iterable[str], values: Iterable[float], path: Path, key: str, densities: DensityConvention | None = None
) -> dict[str, float]:
    """Convert cosmological parameters to their canonical names and units.

    ``H_0`` [km/s/Mpc] becomes ``h``, ``N_spec`` becomes ``n_s``, and Ω h² becomes Ω. If Ω_Λ and Ω_m are both given, Ω_Λ
    is replaced by ``omega_k`` = 1 − Ω_m − Ω_Λ, set to 0 if its absolute value is less than 0.002.

    Parameters
    ----------
    names, values
        Names and values in the file.
    path, key
        File and key, for messages.
    densities
        Meaning of lower-case densities, if known: see `density_convention`.

    Returns
    -------
    dict
        Values by canonical name, in the order of `PARAMETERS`.

    Raises
    ------
    UnusableFileError
        A name is unknown or occurs twice, a value is not finite or out of range, a density is ambiguous, or Ω h² is
        given without h.
    """
    given = list(zip(names, values, strict=True))
    try:
        meant = density_convention({name: [value] for name, value in given}, densities)
    except ValueError as error:
        raise UnusableFileError(path, key, str(error)) from error
    found: dict[str, float] = {}
    physical: dict[str, str] = {}
    for name, value in given:
        known = canonical_name(name)
        if known is None:
            valid = ", ".join([*PARAMETERS, *_H0_NAMES, "N_spec"])
            raise UnusableFileError(path, key, f"unknown parameter {name!r}; known are {valid}")
        if known in found:
            raise UnusableFileError(path, key, f"parameter {known} stands there twice")
        found[known] = float(value) / 100 if name in _H0_NAMES else float(value)
        if name in _PHYSICAL_NAMES.get(known, ()) or (name in _EITHER and meant == "physical"):
            physical[known] = name
        else:
            _check_range(known, found[known], f"{name} = {value:g}", path, key)
    for known, name in physical.items():
        if "h" not in found:
            reason = f"{name} = {found[known]:g} is Ω h², and h is not given beside it: add h or H_0"
            raise UnusableFileError(path, key, reason)
        density = found[known]
        found[known] = density / found["h"] ** 2
        _check_range(known, found[known], f"{name} = {density:g} for h = {found['h']:g}", path, key)
    if "omega_l" in found and "omega_m" in found:
        _curve(found, path, key)
    return {name: found[name] for name in PARAMETERS if name in found}


def _check_range(known: str, value: float, told: str, path: Path, key: str) -> None:
    _, low, high = PARAMETERS[known]
    if not (math.isfinite(value) and low <= value <= high):
        raise UnusableFileError(
            path, key, f"{told} is no value of a cosmology (between {low:g} and {high:g} as {known})"
        )


def _curve(found: dict[str, float], path: Path, key: str) -> None:
    """Replace Ω_Λ, which is redundant with Ω_m in a flat cosmology, by the curvature."""
    dark_energy = found.pop("omega_l")
    curvature = 1 - found["omega_m"] - dark_energy
    told = found.setdefault("omega_k", 0.0 if abs(curvature) < _FLAT else float(f"{curvature:.6g}"))
    if abs(told - curvature) >= _FLAT:
        reason = f"Ω_k = {told:g}, where Ω_m = {found['omega_m']:g} and Ω_Λ = {dark_energy:g} leave {curvature:g}"
        raise UnusableFileError(path, key, reason)
