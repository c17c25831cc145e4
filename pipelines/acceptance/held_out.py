"""Maps of cosmologies that an emulator was not trained on, and its own for the same cosmologies."""

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
    """Maps of cosmologies that were not trained on, and generated ones for the same cosmologies."""

    simulated: MapSet
    """Their parameters are those that the emulator takes: none for an unconditional one."""
    generated: np.ndarray
    """κ, shape (repeats n, N, N): n at a time for the cosmologies of the simulated maps in their order."""
    distance: np.ndarray
    """Of each map's cosmology to the nearest one trained on, in standard deviations of these, shape (n,)."""
    left_out: int
    """Cosmologies outside the trained range."""


def held_out(
    emulator: MassMapEmulator,
    data: Shards,
    seed: int,
    unseen: Shards | None = None,
    *,
    channel: int = 0,
    repeats: int = 1,
) -> HeldOut:
    """Read the test maps, and make others for the same cosmologies.

    Parameters
    ----------
    emulator
        What is judged.
    data
        What it was trained on.
    seed
        Of the generated maps.
    unseen
        Maps simulated since, all of which are taken in place of the test split.
    channel
        Which is taken, of maps of several source redshifts.
    repeats
        Maps made for each that is read.

    Raises
    ------
    InputError
        There are fewer than four test cosmologies in the range that was trained on, or `unseen` has other maps, or
        maps that were trained on, or there is no such channel.
    """
    if not 0 <= channel < data.manifest.shape[-1]:
        raise InputError(f"acceptance.channel: found {channel}, the maps have 0 to {data.manifest.shape[-1] - 1}")
    if unseen is not None:
        _check(unseen, data)
    source, test = (data, data.split("test")) if unseen is None else (unseen, np.arange(len(unseen)))
    names = data.manifest.parameter_names
    parameters, groups = source.parameters(test), source.simulation(test)
    inside = np.ones(len(test), bool)
    for name, (low, high) in emulator.ranges.items():
        inside &= (low <= parameters[:, names.index(name)]) & (parameters[:, names.index(name)] <= high)
    left_out = len(set(groups[~inside]))
    test, parameters, groups = test[inside], parameters[inside], groups[inside]
    if len(set(groups)) < 4:
        raise InputError(
            f"{source.path}: {len(set(groups))} test cosmologies within the trained range; four are needed. "
            "Simulate more, or ingest with a larger test fraction"
        )
    given: dict[str, Any] = {name: np.tile(parameters[:, names.index(name)], repeats) for name in emulator.ranges}
    generated = emulator.sample(repeats * len(test), seed=seed, **given)
    learnt = np.unique(data.parameters(data.split("train")), axis=0)
    scale = np.maximum(learnt.std(0), 1e-12)
    distance = np.sqrt((((parameters[:, None] - learnt) / scale) ** 2).sum(-1)).min(1)
    return HeldOut(
        simulated=read_map_set(source, test, tuple(emulator.ranges), channel), distance=distance, left_out=left_out,
        generated=generated if generated.ndim == 3 else generated[..., channel],
    )  # fmt: skip


def _check(unseen: Shards, data: Shards) -> None:
    """Say what keeps maps from judging an emulator trained on others."""
    for what in ("shape", "parameter_names", "side_deg", "periodic"):
        found, wanted = getattr(unseen.manifest, what), getattr(data.manifest, what)
        if found != wanted:
            raise InputError(f"{unseen.path}: {what} is {found}, of the maps trained on it is {wanted} ({data.path})")
    known = {*data.simulation(data.split("train")), *data.simulation(data.split("validation"))}
    twice = sorted(known & set(unseen.simulation(np.arange(len(unseen)))))
    if twice:
        raise InputError(
            f"{unseen.path}: holds {len(twice)} simulations that were trained on, {twice[0]} the first; "
            "simulate others, with another seed"
        )


def matched(held: HeldOut, learnt: MapSet) -> tuple[HeldOut, MapSet]:
    """Divide all maps by the spread that κ has in their cosmology, so that bins mean the same in all of them.

    The spread is a smooth function of cosmology, fitted to simulated maps, those trained on included: generated maps
    are divided by it too, and what they have too much or too little of stays. Maps that are not to be told apart by
    cosmology are left as they are.
    """
    simulated = held.simulated
    if simulated.parameters is None or not simulated.parameters.shape[1]:
        return held, learnt
    known = [each for each in (simulated, learnt) if each.groups is not None and each.parameters is not None]
    ln_spread = np.concatenate([np.log(each.maps.std(axis=(1, 2)))[:, None] for each in known])
    points, groups = (np.concatenate([getattr(each, name) for each in known]) for name in ("parameters", "groups"))
    trend = fit_trend(ln_spread, points, groups)

    def divided(maps: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return maps / np.exp(trend(parameters))[:, None].astype(np.float32)

    mine, theirs = simulated.parameters, learnt.parameters
    return (
        replace(
            held, simulated=replace(simulated, maps=divided(simulated.maps, mine)),
            generated=divided(held.generated, np.resize(mine, (len(held.generated), mine.shape[1]))),
        ),
        learnt if theirs is None else replace(learnt, maps=divided(learnt.maps, theirs)),
    )  # fmt: skip


def read_map_set(data: Shards, records: np.ndarray, names: tuple[str, ...], channel: int = 0) -> MapSet:
    """Read one channel of maps, with their simulations and the parameters of these names."""
    columns = [data.manifest.parameter_names.index(name) for name in names]
    return MapSet(
        maps=data.read(records)[..., channel],
        groups=data.simulation(records),
        parameters=data.parameters(records)[:, columns],
    )
