"""Tanimoto similarity of Morgan fingerprints, radius 2, 2048 bits (doi:10.1021/ci100050t), and Butina clustering."""

from collections.abc import Sequence

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from tenfold.pipelines.molecules.fingerprints import FINGERPRINT_BYTES, morgan_fingerprints


def nearest_similarity(test_smiles: Sequence[str], training_smiles: Sequence[str]) -> np.ndarray:
    """Similarity of each test molecule to its nearest training molecule.

    Parameters
    ----------
    test_smiles, training_smiles
        SMILES of n and m molecules.

    Returns
    -------
    np.ndarray
        Tanimoto similarity in [0, 1], shape (n,), float32; 0 for invalid SMILES, or if m = 0.
    """
    return nearest_tanimoto(morgan_fingerprints(test_smiles), morgan_fingerprints(training_smiles))


def nearest_tanimoto(test: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Tanimoto similarity of each test fingerprint to its nearest training fingerprint.

    The search is exact. Two fingerprints with a and b set bits have a similarity of at most min(a, b) / max(a, b).
    Training fingerprints are therefore tried in order of the difference in set bits, and the search stops when this
    bound falls below the best similarity found.

    Parameters
    ----------
    test, training
        Packed fingerprints, shapes (n, 256) and (m, 256), uint8.

    Returns
    -------
    np.ndarray
        Similarity in [0, 1], shape (n,), float32.
    """
    training, bits = _words(training), _bits(training)
    order = np.argsort(bits, kind="stable")
    return _nearest(_words(test), _bits(test), training[order], bits[order])


def butina_clusters(fingerprints: np.ndarray, similarity: float) -> np.ndarray:
    """Taylor-Butina clustering (doi:10.1021/ci9803381).

    Molecules become centroids in descending order of their number of neighbours, and take their unassigned neighbours.
    Neighbours are counted but not stored, so that memory scales with the molecules instead of their pairs.

    Parameters
    ----------
    fingerprints
        Packed fingerprints, shape (n, 256), uint8.
    similarity
        Smallest Tanimoto similarity of neighbours.

    Returns
    -------
    np.ndarray
        Index of the centroid of each molecule's cluster, shape (n,), int64.
    """
    words, bits = _words(fingerprints), _bits(fingerprints)
    ascending = np.argsort(bits, kind="stable")
    counts = np.empty(len(words), np.int64)
    counts[ascending] = _count_neighbours(words[ascending], bits[ascending], similarity)
    order = np.lexsort((-np.arange(len(words)), -counts))  # of equal counts the later one first, as in RDKit
    return _assign(words, bits, order, similarity)


def _words(packed: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(packed).view(np.uint64).reshape(-1, FINGERPRINT_BYTES // 8)


def _bits(packed: np.ndarray) -> np.ndarray:
    return np.bitwise_count(packed).sum(axis=1, dtype=np.int64)


@intrinsic
def _ones(typing, word):
    """Population count of a word: one instruction, which Numba does not expose."""
    return types.int64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@numba.njit(cache=True)
def _common(one: np.ndarray, other: np.ndarray) -> int:
    """Number of set bits that two fingerprints share."""
    count = 0
    for n in range(len(one)):
        count += _ones(one[n] & other[n])  # pyright: ignore[reportCallIssue]
    return count


@numba.njit(cache=True)
def _are_neighbours(one: np.ndarray, other: np.ndarray, bits: int, similarity: float) -> bool:
    """Whether two fingerprints with ``bits`` set bits in total have at least the given Tanimoto similarity."""
    common = _common(one, other)
    return bits > common and common >= similarity * (bits - common)


@numba.njit(cache=True)
def _nearest(test: np.ndarray, test_bits: np.ndarray, others: np.ndarray, bits: np.ndarray) -> np.ndarray:
    nearest = np.zeros(len(test), np.float32)
    for n in range(len(test)):
        best, own_bits = 0.0, test_bits[n]
        above = np.searchsorted(bits, own_bits)
        below = above - 1
        while own_bits > 0 and (below >= 0 or above < len(bits)):
            upper = own_bits / bits[above] if above < len(bits) else -1.0
            lower = bits[below] / own_bits if below >= 0 else -1.0
            if max(upper, lower) <= best:
                break
            if upper >= lower:
                m, above = above, above + 1
            else:
                m, below = below, below - 1
            common = _common(test[n], others[m])
            best = max(best, common / (own_bits + bits[m] - common))
        nearest[n] = best
    return nearest


@numba.njit(cache=True)
def _count_neighbours(words: np.ndarray, bits: np.ndarray, similarity: float) -> np.ndarray:
    """Number of neighbours of each fingerprint; fingerprints are in ascending order of their set bits."""
    counts = np.zeros(len(words), np.int64)
    for n in range(len(words)):
        for m in range(n + 1, len(words)):
            if bits[n] < similarity * bits[m]:
                break
            if _are_neighbours(words[n], words[m], bits[n] + bits[m], similarity):
                counts[n] += 1
                counts[m] += 1
    return counts


@numba.njit(cache=True)
def _assign(words: np.ndarray, bits: np.ndarray, order: np.ndarray, similarity: float) -> np.ndarray:
    """Centroid of the cluster of each fingerprint; candidates are tried in the given order."""
    centroid = np.full(len(words), -1, np.int64)
    for n in order:
        if centroid[n] < 0:
            centroid[n] = n
            for m in range(len(words)):
                if centroid[m] < 0 and _are_neighbours(words[n], words[m], bits[n] + bits[m], similarity):
                    centroid[m] = n
    return centroid
