"""How alike molecules are: Tanimoto similarity of Morgan fingerprints, radius 2, 2048 bits (doi:10.1021/ci100050t)."""

from collections.abc import Sequence

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from tenfold.pipelines.molecules.fingerprints import FINGERPRINT_BYTES, morgan_fingerprints


def nearest_similarity(test_smiles: Sequence[str], training_smiles: Sequence[str]) -> np.ndarray:
    """Similarity of each molecule to the nearest of others.

    Returns
    -------
    np.ndarray
        Tanimoto in [0, 1], shape (n,), float32; 0 where a SMILES cannot be read, or there are no others.
    """
    return nearest_tanimoto(morgan_fingerprints(test_smiles), morgan_fingerprints(training_smiles))


def nearest_tanimoto(test: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Similarity of each packed fingerprint to the nearest of others.

    Exact. Others are tried in order of how far their number of bits is from one's own: two fingerprints of a and b bits
    are at most min(a, b) / max(a, b) alike, so that the search ends early where something near was found.

    Parameters
    ----------
    test, training
        Shapes (n, 256) and (m, 256), uint8.

    Returns
    -------
    np.ndarray
        Shape (n,), float32.
    """
    training, bits = _words(training), _bits(training)
    order = np.argsort(bits, kind="stable")
    return _nearest(_words(test), _bits(test), training[order], bits[order])


def butina_clusters(fingerprints: np.ndarray, similarity: float) -> np.ndarray:
    """Taylor-Butina clusters (doi:10.1021/ci9803381): those with most neighbours first, each takes its free neighbours.

    Neighbours are counted, not kept: memory grows with the molecules, not with their pairs.

    Parameters
    ----------
    fingerprints
        Packed, shape (n, 256), uint8.
    similarity
        Tanimoto from which on two are neighbours.

    Returns
    -------
    np.ndarray
        Position of the centre of each one's cluster, shape (n,), int64.
    """
    words, bits = _words(fingerprints), _bits(fingerprints)
    ascending = np.argsort(bits, kind="stable")
    counts = np.empty(len(words), np.int64)
    counts[ascending] = _count_neighbours(words[ascending], bits[ascending], similarity)
    order = np.lexsort((-np.arange(len(words)), -counts))  # the later of two with as many, as RDKit has it
    return _assign(words, bits, order, similarity)


def _words(packed: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(packed).view(np.uint64).reshape(-1, FINGERPRINT_BYTES // 8)


def _bits(packed: np.ndarray) -> np.ndarray:
    return np.bitwise_count(packed).sum(axis=1, dtype=np.int64)


@intrinsic
def _ones(typing, word):
    """How many bits of a word are set: one instruction, which Numba has no name for."""
    return types.int64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@numba.njit(cache=True)
def _common(one: np.ndarray, other: np.ndarray) -> int:
    """Bits that two fingerprints share."""
    count = 0
    for n in range(len(one)):
        count += _ones(one[n] & other[n])  # pyright: ignore[reportCallIssue]
    return count


@numba.njit(cache=True)
def _alike(one: np.ndarray, other: np.ndarray, bits: int, similarity: float) -> bool:
    """Whether two fingerprints, of so many bits together, are at least so similar."""
    common = _common(one, other)
    return bits > common and common >= similarity * (bits - common)


@numba.njit(cache=True)
def _nearest(test: np.ndarray, test_bits: np.ndarray, others: np.ndarray, bits: np.ndarray) -> np.ndarray:
    found = np.zeros(len(test), np.float32)
    for n in range(len(test)):
        best, mine = 0.0, test_bits[n]
        above = np.searchsorted(bits, mine)
        below = above - 1
        while mine > 0 and (below >= 0 or above < len(bits)):
            upper = mine / bits[above] if above < len(bits) else -1.0
            lower = bits[below] / mine if below >= 0 else -1.0
            if max(upper, lower) <= best:
                break
            if upper >= lower:
                m, above = above, above + 1
            else:
                m, below = below, below - 1
            common = _common(test[n], others[m])
            best = max(best, common / (mine + bits[m] - common))
        found[n] = best
    return found


@numba.njit(cache=True)
def _count_neighbours(words: np.ndarray, bits: np.ndarray, similarity: float) -> np.ndarray:
    """Neighbours of each fingerprint, which come in ascending order of their bits."""
    found = np.zeros(len(words), np.int64)
    for n in range(len(words)):
        for m in range(n + 1, len(words)):
            if bits[n] < similarity * bits[m]:
                break
            if _alike(words[n], words[m], bits[n] + bits[m], similarity):
                found[n] += 1
                found[m] += 1
    return found


@numba.njit(cache=True)
def _assign(words: np.ndarray, bits: np.ndarray, order: np.ndarray, similarity: float) -> np.ndarray:
    """The centre of each fingerprint's cluster, centres tried in an order."""
    centre = np.full(len(words), -1, np.int64)
    for n in order:
        if centre[n] < 0:
            centre[n] = n
            for m in range(len(words)):
                if centre[m] < 0 and _alike(words[n], words[m], bits[n] + bits[m], similarity):
                    centre[m] = n
    return centre
