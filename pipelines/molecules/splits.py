"""Splits of molecules: by chance, by scaffold, by cluster, as a column says; the same molecule never on two sides."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.splits import SPLITS, Split, split_simulations

_WORDS: dict[str, Split] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip


def split_word(text: str) -> Split:
    """The split that a word in a column means.

    Raises
    ------
    ValueError
        It means none.
    """
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"split {text[:40]!r} is none of train, validation, test") from None


def by_chance(keys: Sequence[str], fractions: tuple[float, float, float], seed: int) -> np.ndarray:
    """Split molecules by their own keys: what was once a test stays one, whatever is added.

    Parameters
    ----------
    keys
        InChIKeys.

    Returns
    -------
    np.ndarray
        Position in SPLITS of each molecule, shape (n,), int8.

    Raises
    ------
    InputError
        There are fewer molecules than wanted splits.
    """
    try:
        found = split_simulations(keys, fractions, seed)
    except ValueError as error:
        raise InputError(str(error).replace("simulations", "different molecules")) from error
    return np.array([SPLITS.index(found[key]) for key in keys], np.int8)


def by_group(
    groups: Sequence[str], keys: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Split molecules so that no group is on two sides, as balanced as the groups allow.

    Groups too large for half of the validation or test split go to training; the others, in an order by chance, to
    training until it is full, then to validation, then to test: the balanced scaffold split that MoleculeNet
    (arXiv:1703.00564) and its successors use. Molecules of one key are one molecule: their groups become one.

    Parameters
    ----------
    groups
        Name of each molecule's group, such as its scaffold.

    Returns
    -------
    np.ndarray
        Position in SPLITS of each molecule, shape (n,), int8.

    Raises
    ------
    InputError
        There are fewer groups than wanted splits.
    """
    names = _joined(groups, keys)
    sizes = Counter(names)
    wanted = [split for split, fraction in enumerate(fractions) if fraction > 0]
    if len(sizes) < len(wanted):
        called = ", ".join(SPLITS[split] for split in wanted)
        raise InputError(f"{len(sizes)} groups of molecules cannot be split into {called}: use split random")
    room = [fraction * len(names) for fraction in fractions]
    smallest = min(room[split] for split in wanted)
    order = sorted(sizes, key=lambda name: (sizes[name] <= smallest / 2, _chance(name, seed)))
    filled, found = [0.0, 0.0, 0.0], {}
    for name in order:
        split = next((split for split in wanted if filled[split] + sizes[name] <= room[split]), wanted[-1])
        if sizes[name] > smallest / 2:
            split = 0
        found[name] = split
        filled[split] += sizes[name]
    for split in wanted:
        if split not in found.values():  # the smallest group that is not the last of its split
            members = Counter(found.values())
            found[min((name for name in found if members[found[name]] > 1), key=lambda name: (sizes[name], name))] = (
                split
            )
    return np.array([found[name] for name in names], np.int8)


def by_column(words: Sequence[Split], keys: Sequence[str]) -> np.ndarray:
    """Split molecules as a column says; a copy of a test or validation molecule is left out of what is learnt from.

    Returns
    -------
    np.ndarray
        Position in SPLITS of each molecule, -1 for copies that are left out, shape (n,), int8.
    """
    found = np.array([SPLITS.index(word) for word in words], np.int8)
    held: dict[str, int] = {}
    for key, split in zip(keys, found.tolist(), strict=True):
        held[key] = max(split, held.get(key, 0))
    highest = np.array([held[key] for key in keys], np.int8)
    return np.where(found == highest, found, np.int8(-1))


def _joined(groups: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Names of the groups, where those that share a key have become one, under its first name."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for group, key in zip(groups, keys, strict=True):
        by_key[key].add(group)
    for together in by_key.values():
        first, *rest = sorted(map(root, together))
        for name in rest:
            parent[root(name)] = root(first)
    return [root(group) for group in groups]


def _chance(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
