"""Splits of molecules: by chance, by scaffold, by cluster, as a column says; the same molecule never on two sides."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.splits import SPLITS, Split, split_simulations

_WORDS: dict[str, Split] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip


Method = Literal["random", "scaffold", "butina", "column"]
"""Ways to split: by chance, by scaffold, by cluster, as a column or the files' names say."""
_COLUMNS = frozenset({"split", "fold", "folds", "cv_fold", "cvfold", "kfold", "partition", "subset", "set"})
"""Names of columns, in lower case, that say a published split."""
_MOST_FOLDS = 20


@dataclass(frozen=True, kw_only=True)
class Folds:
    """Which words of a column are which split, where they are not the names of splits themselves."""

    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def split(self, text: str) -> Split:
        """The split that a word means: any that is not of test or validation is of training.

        Raises
        ------
        ValueError
            Nothing stands there; or, without any such words, it is no name of a split.
        """
        if not self.test and not self.validation:
            return parse_split(text)
        fold = _fold(text)
        if not fold:
            raise ValueError("no fold")
        return "test" if fold in self.test else "validation" if fold in self.validation else "train"


def parse_folds(test: Sequence[str | int], validation: Sequence[str | int]) -> Folds:
    """Folds from what a configuration says."""
    return Folds(
        test=tuple(_fold(str(each)) for each in test), validation=tuple(_fold(str(each)) for each in validation)
    )


def _fold(text: str) -> str:
    text = text.strip()
    return re.sub(r"\.0+$", "", text) if re.fullmatch(r"\d+\.0+", text) else text


def split_from_name(name: str) -> Split | Literal[""]:
    """The split that a file's name says, as in ``esol_train.csv``, or else its folder's; empty if none, or two."""
    path = PurePosixPath(name)
    words = re.split("[^a-z]+", path.name.lower())
    said = {_WORDS[word] for word in words if word in _WORDS} or {_WORDS.get(path.parent.name.lower(), "")}
    return said.pop() if len(said) == 1 else ""  # pyright: ignore[reportReturnType]


def find_split_columns(columns: Sequence[str]) -> list[str]:
    """Those columns whose names say that they hold a published split."""
    return [column for column in columns if column.lower() in _COLUMNS]


def is_published_split(column: str, cells: Mapping[str, int], source: str) -> bool:
    """Whether a column that may hold a published split does.

    Raises
    ------
    InputError
        It numbers folds: which is which must be said.
    """
    words = {cell.strip() for cell in cells if cell.strip()}
    if len({_WORDS.get(word.lower()) for word in words}) > 1 and all(word.lower() in _WORDS for word in words):
        return True
    found = {_fold(word) for word in words}
    if 1 < len(found) <= _MOST_FOLDS and all(each.isdecimal() for each in found) and column.lower() != "set":
        listed = ", ".join(sorted(found, key=int))
        raise InputError(
            f"{source}: column {column!r} numbers folds ({listed}). Say which are the test: --split column --set "
            f"ingest.split_column={column} --set ingest.test_folds=[{min(found, key=int)}], and perhaps "
            "validation_folds; or --split random to split anew."
        )
    return False


def parse_split(text: str) -> Split:
    """The split that a word in a column means.

    Raises
    ------
    ValueError
        It means none.
    """
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        folds = "; say which folds are the test by test_folds" if text.strip().isdecimal() else ""
        raise ValueError(f"split {text[:40]!r} is none of train, validation, test{folds}") from None


def random_split(keys: Sequence[str], fractions: tuple[float, float, float], seed: int) -> np.ndarray:
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
    wanted = [name for name, fraction in zip(SPLITS, fractions, strict=True) if fraction > 0]
    different = len(set(keys))
    if different < len(wanted):
        counted = "1 molecule" if different == 1 else f"{different} different molecules"
        alike = (
            " All geometries of a molecule are one molecule, and stay in one split." if len(keys) > different else ""
        )
        raise InputError(f"{counted} cannot be split into {', '.join(wanted)}: each needs at least one.{alike}")
    found = split_simulations(keys, fractions, seed)
    return np.array([SPLITS.index(found[key]) for key in keys], np.int8)


def group_split(
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


def published_split(words: Sequence[Split], keys: Sequence[str]) -> np.ndarray:
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


def draw_validation(
    split: np.ndarray, keys: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Draw a validation split from the training molecules by chance, where a published split has none.

    Parameters
    ----------
    split
        As `by_column` returns it.
    fractions
        The share is that of validation among training and validation.

    Returns
    -------
    np.ndarray
        Position in SPLITS of each molecule, shape (n,), int8; unchanged where there is a validation split, none is
        wanted, or there is only one training molecule.
    """
    training = np.flatnonzero(split == 0)
    own = [keys[n] for n in training.tolist()]
    if (split == 1).any() or fractions[1] <= 0 or len(set(own)) < 2:
        return split
    both = fractions[0] + fractions[1]
    found = split.copy()
    found[training] = random_split(own, (fractions[0] / both, fractions[1] / both, 0.0), seed)
    return found


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
