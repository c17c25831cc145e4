"""Splits by simulation, never by sub-volume, so that nothing leaks."""

import hashlib
import math
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Raise `ValueError` unless the fractions of training, validation and test can be those of a split."""
    if len(fractions) != 3 or min(fractions) < 0 or not math.isclose(sum(fractions), 1):
        raise ValueError(f"fractions: found {fractions}, valid are three of 0 or more that add up to 1")
    if fractions[0] <= 0:
        raise ValueError(f"fractions: found {fractions}, the first, for training, must be above 0")


def _position(simulation: str, seed: int) -> float:
    """Return the position of a simulation in [0, 1), from its name and the seed alone."""
    digest = hashlib.blake2b(f"{seed}\0{simulation}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def split_simulations(simulations: Iterable[str], fractions: tuple[float, float, float], seed: int) -> dict[str, Split]:
    """Assign every simulation to a split.

    The split depends on the simulation's name and the seed alone, so that it does not change when simulations are
    added or removed: a test simulation remains one. The fractions hold up to sampling noise. Only if a wanted split
    would be empty, the simulation nearest to its interval moves there.

    Parameters
    ----------
    simulations
        Names; repeated ones count once.
    fractions
        Fractions of training, validation and test, with sum 1.
    seed
        Seed of the split.

    Returns
    -------
    dict
        Split of each simulation, in order of the names.

    Raises
    ------
    ValueError
        There are fewer simulations than wanted splits.
    """
    names = sorted(set(simulations))
    wanted: list[Split] = [split for split, fraction in zip(SPLITS, fractions, strict=True) if fraction > 0]
    if len(names) < len(wanted):
        known = "1 simulation" if len(names) == 1 else f"{len(names)} simulations"
        raise ValueError(
            f"{known} cannot be split into {', '.join(wanted)}: each needs at least one. Files that do not name their "
            "simulation count as one where their cosmology is the same: a column `simulation` in ingest.table, another "
            "name for each realisation, tells them apart"
        )
    position = {name: _position(name, seed) for name in names}
    borders = (fractions[0], fractions[0] + fractions[1])
    assigned: dict[str, Split] = {
        name: SPLITS[sum(position[name] >= border for border in borders)] if len(wanted) > 1 else wanted[0]
        for name in names
    }
    for split in wanted:
        if split in assigned.values():
            continue
        low = sum(fractions[: SPLITS.index(split)])
        middle = low + fractions[SPLITS.index(split)] / 2
        counts = {other: list(assigned.values()).count(other) for other in SPLITS}
        spare = [name for name in names if counts[assigned[name]] > 1]
        assigned[min(spare, key=lambda name: abs(position[name] - middle))] = split
    return assigned
