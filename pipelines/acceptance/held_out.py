"""Simulated maps of held-out cosmologies, and generated maps of the same cosmologies."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tenfold.pipelines.acceptance.acceptance import MapSet
from tenfold.pipelines.emulator.emulator import MassMapEmulator
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.trend import fit_trend


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Simulated maps of cosmologies that were not trained on, and generated maps of the same cosmologies."""

    simulated: MapSet
    """Simulated maps, with the parameters that the emulator takes: none for an unconditional one."""
    generated: np.ndarray
    """κ, shape (repeats × n, N, N): each block of n maps has the cosmologies of the simulated maps in their order."""
    distance: np.ndarray
    """Distance of each map's cosmology to the nearest training cosmology, in standard deviations of the training
    cosmologies, shape (n,)."""
    outside_range: int
    """Number of cosmologies left out because they lie outside the trained range."""


def held_out(
    emulator: MassMapEmulator,
    data: Shards,
    seed: int,
    unseen: Shards | None = None,
    *,
    channel: int = 0,
    repeats: int = 1,
) -> HeldOut:
    """Read the test maps, and generate maps of the same cosmologies.

    Parameters
    ----------
    emulator
        Emulator to be tested.
    data
        Data that it was trained on.
    seed
        Seed of the generated maps.
    unseen
        Maps simulated later, all of which replace the test split.
    channel
        Channel to take, of maps with several source redshifts.
    repeats
        Generated maps per simulated map.

    Returns
    -------
    HeldOut
        Maps of both kinds.

    Raises
    ------
    InputError
        Fewer than four test cosmologies lie in the trained range; `unseen` has maps of another kind, or maps that
        were trained on; or there is no such channel.
    """
    if not 0 <= channel < data.manifest.shape[-1]:
        raise InputError(f"acceptance.channel: found {channel}, the maps have 0 to {data.manifest.shape[-1] - 1}")
    if unseen is not None:
        _check_unseen(unseen, data)
    source, test = (data, data.split("test")) if unseen is None else (unseen, np.arange(len(unseen)))
    names = data.manifest.parameter_names
    parameters, groups = source.parameters(test), source.simulation(test)
    inside = np.ones(len(test), bool)
    for name, (low, high) in emulator.ranges.items():
        inside &= (low <= parameters[:, names.index(name)]) & (parameters[:, names.index(name)] <= high)
    outside_range = len(set(groups[~inside]))
    test, parameters, groups = test[inside], parameters[inside], groups[inside]
    if len(set(groups)) < 4:
        raise InputError(
            f"{source.path}: {len(set(groups))} test cosmologies within the trained range; four are needed. "
            "Simulate more, or ingest with a larger test fraction"
        )
    conditions: dict[str, Any] = {name: np.tile(parameters[:, names.index(name)], repeats) for name in emulator.ranges}
    generated = emulator.sample(repeats * len(test), seed=seed, **conditions)
    trained = np.unique(data.parameters(data.split("train")), axis=0)
    scale = np.maximum(trained.std(0), 1e-12)
    distance = np.sqrt((((parameters[:, None] - trained) / scale) ** 2).sum(-1)).min(1)
    return HeldOut(
        simulated=read_map_set(source, test, tuple(emulator.ranges), channel), distance=distance,
        outside_range=outside_range, generated=generated if generated.ndim == 3 else generated[..., channel],
    )  # fmt: skip


def _check_unseen(unseen: Shards, data: Shards) -> None:
    """Check that maps fit the training data and were not trained on.

    Raises
    ------
    InputError
        They do not.
    """
    for key in ("shape", "parameter_names", "side_deg", "periodic"):
        value, expected = getattr(unseen.manifest, key), getattr(data.manifest, key)
        if value != expected:
            raise InputError(f"{unseen.path}: {key} is {value}, but {expected} in the training data ({data.path})")
    trained = {*data.simulation(data.split("train")), *data.simulation(data.split("validation"))}
    shared = sorted(trained & set(unseen.simulation(np.arange(len(unseen)))))
    if shared:
        raise InputError(
            f"{unseen.path}: contains {len(shared)} simulations that were trained on, {shared[0]} among them. "
            "Simulate others, with another seed"
        )


def matched(held: HeldOut, training: MapSet) -> tuple[HeldOut, MapSet]:
    """Divide all maps by the standard deviation of κ in their cosmology, so that bins mean the same in all of them.

    The standard deviation is a smooth function of cosmology, fitted to simulated maps, those of the training split
    included. Generated maps are divided by the same function, so that an error in their amplitude remains visible. Maps
    without cosmological parameters are returned unchanged.

    Parameters
    ----------
    held
        Maps of held-out cosmologies.
    training
        Training maps.

    Returns
    -------
    tuple of HeldOut and MapSet
        The same maps, divided.
    """
    simulated = held.simulated
    if simulated.parameters is None or not simulated.parameters.shape[1]:
        return held, training
    sets = [maps for maps in (simulated, training) if maps.groups is not None and maps.parameters is not None]
    ln_sigma = np.concatenate([np.log(maps.maps.std(axis=(1, 2)))[:, None] for maps in sets])
    parameters, groups = (np.concatenate([getattr(maps, name) for maps in sets]) for name in ("parameters", "groups"))
    trend = fit_trend(ln_sigma, parameters, groups)

    def divided(maps: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return maps / np.exp(trend(parameters))[:, None].astype(np.float32)

    test_parameters, training_parameters = simulated.parameters, training.parameters
    generated_parameters = np.resize(test_parameters, (len(held.generated), test_parameters.shape[1]))
    return (
        replace(
            held, simulated=replace(simulated, maps=divided(simulated.maps, test_parameters)),
            generated=divided(held.generated, generated_parameters),
        ),
        training if training_parameters is None
        else replace(training, maps=divided(training.maps, training_parameters)),
    )  # fmt: skip


def read_map_set(data: Shards, records: np.ndarray, names: tuple[str, ...], channel: int = 0) -> MapSet:
    """Read one channel of maps with their simulations and some of their parameters.

    Parameters
    ----------
    data
        Shards of maps.
    records
        Indices of the maps, shape (n,).
    names
        Parameters to read.
    channel
        Channel to read.
    """
    columns = [data.manifest.parameter_names.index(name) for name in names]
    return MapSet(
        maps=data.read(records)[..., channel],
        groups=data.simulation(records),
        parameters=data.parameters(records)[:, columns],
    )
