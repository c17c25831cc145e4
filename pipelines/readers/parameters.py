"""Cosmological parameters: their names in published files, and their valid ranges."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tenfold.pipelines.readers.volume import UnusableFileError

# Canonical name: (names in published files, minimum, maximum).
PARAMETERS = {
    "omega_m": (("Omega_m", "Omega0", "OmegaM", "Om", "Omega_M", "OMEGA_M", "Omega_0", "omegam"), 0.01, 1.0),
    "sigma_8": (("sigma_8", "sigma8", "Sigma8", "s8", "SIGMA_8", "SIGMA8", "sigma8_m"), 0.05, 3.0),
    "n_s": (("n_s", "N_spec", "ns", "N_S", "NS"), 0.2, 2.0),
    "h": (("h", "HubbleParam"), 0.2, 2.0),
    "omega_b": (("Omega_b", "OmegaB", "Ob", "Omega_B", "OMEGA_B", "OmegaBaryon"), 0.001, 0.5),
    # supernova and AGN feedback strengths of CAMELS (arXiv:2010.00619), relative to the fiducial model
    "a_sn1": (("A_SN1",), 0.01, 100.0),
    "a_agn1": (("A_AGN1",), 0.01, 100.0),
    "a_sn2": (("A_SN2",), 0.01, 100.0),
    "a_agn2": (("A_AGN2",), 0.01, 100.0),
    "omega_cdm": (("Omega_cdm", "Omega_c", "OmegaCDM", "OMEGA_C", "Ocdm", "Oc"), 0.005, 1.0),
    "omega_l": (("Omega_L", "OmegaLambda", "Omega_lambda", "Omega_Lambda", "OmegaL", "OMEGA_L", "OL"), 0.0, 1.5),
    "omega_k": (("Omega_k", "Omega_K", "OmegaK", "OMEGA_K", "Ok"), -1.0, 1.0),
    "w_0": (("w0", "W0", "W_0", "w0_fld", "w"), -5.0, 1.0),
    "w_a": (("wa", "WA", "W_A", "wa_fld"), -5.0, 5.0),
    # sum of the neutrino masses [eV]
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
_AMBIGUOUS_NAMES = {"omega_m": "omega_m", "omega_b": "omega_b", "omega_cdm": "omega_cdm", "omega_c": "omega_cdm"}

DensityConvention = Literal["fractions", "physical"]
"""Meaning of a lower-case ``omega_b``, ``omega_m`` or ``omega_cdm``: Ω, or Ω h²."""

_BARYONS_PHYSICAL, _BARYONS_FRACTION = (0.018, 0.027), (0.03, 0.1)
_MATTER_FRACTION = 0.19
_MAX_RADIATION_OMEGA_K = 2e-3
"""Maximum |Ω_k| that is attributed to radiation and neutrinos."""


def canonical_name(name: str) -> str | None:
    """Return the canonical name of a parameter from any of its names; None if the name is unknown."""
    if name in _H0_NAMES:
        return "h"
    if name in _AMBIGUOUS_NAMES:
        return _AMBIGUOUS_NAMES[name]
    for canonical, aliases in _PHYSICAL_NAMES.items():
        if name in aliases:
            return canonical
    return next(
        (canonical for canonical, (aliases, *_) in PARAMETERS.items() if name == canonical or name in aliases), None
    )


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
    lower_case = {name: values for name, values in columns.items() if name in _AMBIGUOUS_NAMES}
    if not lower_case:
        return None
    evidence: dict[DensityConvention, str] = {} if stated is None else {stated: "ingest.densities"}
    for name, values in lower_case.items():
        for value in values:
            inferred = _infer_convention(_AMBIGUOUS_NAMES[name], value)
            if inferred is not None:
                evidence.setdefault(inferred, f"{name} = {value:g}")
    if len(evidence) == 1:
        return next(iter(evidence))
    if not all(math.isfinite(value) for values in lower_case.values() for value in values):
        return "fractions"  # refused later as out of range, with its line
    names = ", ".join(lower_case)
    values = ", ".join(f"{name} = {values[0]:g}" for name, values in lower_case.items())
    remedy = (
        f"name them Omega_… for Ω or omega_…_h2 for Ω h², or --set ingest.densities=fractions or physical ({names})"
    )
    if not evidence:
        raise ValueError(f"{values} may be Ω or Ω h²: {remedy}")
    raise ValueError(f"{evidence['fractions']} implies Ω, but {evidence['physical']} implies Ω h²: {remedy}")


def _infer_convention(name: str, value: float) -> DensityConvention | None:
    if name == "omega_b":
        if _BARYONS_PHYSICAL[0] <= value <= _BARYONS_PHYSICAL[1]:
            return "physical"
        return "fractions" if _BARYONS_FRACTION[0] <= value <= _BARYONS_FRACTION[1] else None
    return "fractions" if value >= _MATTER_FRACTION else None


def canonical_parameters(
    names: Iterable[str],
    values: Iterable[float],
    path: Path,
    key: str,
    densities: DensityConvention | None = None,
    *,
    others: bool = False,
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
    others
        Whether names that are not in `PARAMETERS` are accepted, as they are, with any finite value.

    Returns
    -------
    dict
        Values by canonical name, in the order of `in_order`.

    Raises
    ------
    UnusableFileError
        A name is unknown or occurs twice, a value is not finite or out of range, a density is ambiguous, or Ω h² is
        given without h.
    """
    pairs = list(zip(names, values, strict=True))
    try:
        convention = density_convention({name: [value] for name, value in pairs}, densities)
    except ValueError as error:
        raise UnusableFileError(path, key, str(error)) from error
    parameters: dict[str, float] = {}
    physical: dict[str, str] = {}
    for name, value in pairs:
        canonical = canonical_name(name) or (name if others else None)
        if canonical is None:
            valid = ", ".join([*PARAMETERS, *_H0_NAMES, "N_spec"])
            raise UnusableFileError(path, key, f"unknown parameter {name!r}; known are {valid}")
        if canonical in parameters:
            raise UnusableFileError(path, key, f"parameter {canonical} occurs twice")
        parameters[canonical] = float(value) / 100 if name in _H0_NAMES else float(value)
        if name in _PHYSICAL_NAMES.get(canonical, ()) or (name in _AMBIGUOUS_NAMES and convention == "physical"):
            physical[canonical] = name
        else:
            _check_range(canonical, parameters[canonical], f"{name} = {value:g}", path, key)
    for canonical, name in physical.items():
        if "h" not in parameters:
            reason = f"{name} = {parameters[canonical]:g} is Ω h², but h is not given: add h or H_0"
            raise UnusableFileError(path, key, reason)
        density = parameters[canonical]
        parameters[canonical] = density / parameters["h"] ** 2
        _check_range(canonical, parameters[canonical], f"{name} = {density:g} for h = {parameters['h']:g}", path, key)
    if "omega_l" in parameters and "omega_m" in parameters:
        _replace_dark_energy(parameters, path, key)
    return in_order(parameters)


def in_order(parameters: Mapping[str, float]) -> dict[str, float]:
    """Return parameters in the order of `PARAMETERS`, followed by those of other names."""
    known = {name: parameters[name] for name in PARAMETERS if name in parameters}
    return {**known, **parameters}


def _check_range(canonical: str, value: float, assignment: str, path: Path, key: str) -> None:
    _, low, high = PARAMETERS.get(canonical, ((), -math.inf, math.inf))
    if not (math.isfinite(value) and low <= value <= high):
        raise UnusableFileError(
            path, key, f"{assignment} is out of range: {canonical} must be between {low:g} and {high:g}"
        )


def _replace_dark_energy(parameters: dict[str, float], path: Path, key: str) -> None:
    """Replace Ω_Λ, which is redundant with Ω_m in a flat cosmology, by the curvature."""
    dark_energy = parameters.pop("omega_l")
    curvature = 1 - parameters["omega_m"] - dark_energy
    omega_k = parameters.setdefault(
        "omega_k", 0.0 if abs(curvature) < _MAX_RADIATION_OMEGA_K else float(f"{curvature:.6g}")
    )
    if abs(omega_k - curvature) >= _MAX_RADIATION_OMEGA_K:
        reason = f"Ω_k = {omega_k:g}, but Ω_m = {parameters['omega_m']:g} and Ω_Λ = {dark_energy:g} imply {curvature:g}"
        raise UnusableFileError(path, key, reason)
