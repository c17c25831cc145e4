"""Environments of atoms and bonds: which of a batch are alike, so that a network works each out once.

A directed bond's hidden state after t steps of message passing depends on nothing but what lies within t bonds behind
it. Molecules are made of few pieces: of the 1,700 directed bonds of fifty drug-like molecules about 120 differ before
the first step and some 600 before the second. The classes here are exact: equal codes, not equal hashes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_KEY = 2**62
"""Keys stay below it, so that they never overflow."""


@dataclass(frozen=True)
class MessageLevel:
    """Classes of directed bonds, or of atoms, each of which gathers from classes of the level before."""

    initial: np.ndarray
    """What each class is by itself: its class before the first step, or its type of atom, shape (N,)."""
    senders: np.ndarray
    """Classes of the level before that are summed over, shape (C,)."""
    receivers: np.ndarray
    """The class that each of them is summed into, ascending, shape (C,)."""


@dataclass(frozen=True)
class Environments:
    """What a directed network computes for a batch of molecules, each piece once."""

    atom_types: np.ndarray
    """Codes of each type of atom, shape (N, K), uint8."""
    bond_atom_type: np.ndarray
    """Type of the atom that each class of directed bonds starts from, shape (E,)."""
    bond_codes: np.ndarray
    """Codes of its bond, shape (E, L), uint8."""
    levels: tuple[MessageLevel, ...]
    """Classes of directed bonds after each step."""
    atoms: MessageLevel
    """Classes of atoms, which gather from the last step's bonds that end in them."""
    atom_class: np.ndarray
    """Class of each atom, shape (A,)."""


def find_environments(
    codes: np.ndarray, bonds: np.ndarray, bond_codes: np.ndarray, steps: int, deduplicate: bool = True
) -> Environments:
    """Sort a batch's atoms and directed bonds into classes.

    Parameters
    ----------
    codes
        Codes of the atoms, shape (A, K), uint8.
    bonds
        The two atoms of each bond, numbered through the batch, each bond once, shape (B, 2).
    bond_codes
        Codes of the bonds, shape (B, L), uint8.
    steps
        Message-passing steps between directed bonds.
    deduplicate
        False: every atom and every directed bond is a class of its own, in the order given (bonds first one way,
        then the other).
    """
    unique = _unique if deduplicate else _each
    source, target = np.concatenate([bonds[:, 0], bonds[:, 1]]), np.concatenate([bonds[:, 1], bonds[:, 0]])
    count = len(source)
    reverse = np.roll(np.arange(count), -len(bonds))
    incoming = _incoming(target, len(codes))
    behind = incoming[source]
    behind[behind == reverse[:, None]] = count

    type_first, type_of, types = unique(_fold(codes.T, [256] * codes.shape[1]))
    width = [types, *[256] * bond_codes.shape[1]]
    both = np.concatenate([bond_codes, bond_codes])
    first, start, starts = unique(_fold([type_of[source], *both.T], width))
    levels, edge, edges = [], start, starts
    for _ in range(steps):
        level, edge, edges = _level(start, starts, behind, edge, edges, unique)
        levels.append(level)
    atoms, atom, _ = _level(type_of, types, incoming, edge, edges, unique)
    return Environments(codes[type_first], type_of[source][first], both[first], tuple(levels), atoms, atom)


def _level(root, roots, children, classes, count, unique) -> tuple[MessageLevel, np.ndarray, int]:
    """Classes of things that are alike in themselves and in the set of classes they gather from."""
    gathered = np.append(classes, count)[children]
    gathered.sort(axis=1)
    first, of, number = unique(_fold([root, *gathered.T], [roots, *[count + 1] * gathered.shape[1]]))
    gathered = gathered[first]
    parent, column = np.nonzero(gathered < count)
    return MessageLevel(root[first], gathered[parent, column], parent), of, number


def _incoming(target: np.ndarray, atoms: int) -> np.ndarray:
    """Directed bonds that end in each atom, shape (atoms, most of any), filled up with the number of directed bonds."""
    degree = np.bincount(target, minlength=atoms)
    order = np.argsort(target, kind="stable")
    table = np.full((atoms, degree.max(initial=0)), len(target))
    table[target[order], np.arange(len(target)) - np.repeat(np.cumsum(degree) - degree, degree)] = order
    return table


def _fold(columns: Sequence[np.ndarray] | np.ndarray, widths: Sequence[int]) -> np.ndarray:
    """One number per row, the same for two rows exactly if all their columns are."""
    key, span = np.asarray(columns[0], np.int64), widths[0]
    for column, width in zip(columns[1:], widths[1:], strict=True):
        if span * width >= MAX_KEY:
            _, key, span = _unique(key)
        key = key * width + column
        span *= width
    return key


def _unique(key: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """First row of each class, class of each row, number of classes."""
    first, of = np.unique(key, return_index=True, return_inverse=True)[1:]
    return first, of, len(first)


def _each(key: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    rows = np.arange(len(key))
    return rows, rows, len(key)
