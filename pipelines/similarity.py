"""How alike molecules are: Tanimoto similarity of Morgan fingerprints, radius 2, 2048 bits (doi:10.1021/ci100050t)."""

from collections.abc import Sequence

import numba
import numpy as np

from tenfold.pipelines.fingerprints import BYTES, fingerprints


def nearest(test_smiles: Sequence[str], training_smiles: Sequence[str]) -> np.ndarray:
    """Similarity of each molecule to the nearest of others.

    Returns
    -------
    np.ndarray
        Tanimoto in [0, 1], shape (n,), float32; 0 where a SMILES cannot be read, or there are no others.
    """
    return nearest_of(fingerprints(test_smiles), fingerprints(training_smiles))


def nearest_of(test: np.ndarray, training: np.ndarray) -> np.ndarray:
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


def neighbours(fingerprints: np.ndarray, similarity: float) -> tuple[np.ndarray, np.ndarray]:
    """All pairs at least so similar.

    Returns
    -------
    ends, others
        Neighbours of n are ``others[ends[n - 1]:ends[n]]``, itself left out; shapes (n,) and (pairs,), int64.
    """
    words, bits = _words(fingerprints), _bits(fingerprints)
    order = np.argsort(bits, kind="stable")
    words, bits = words[order], bits[order]
    pairs = order[_pairs(words, bits, similarity)]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    return np.cumsum(np.bincount(both[:, 0], minlength=len(words))), both[:, 1]


def _words(packed: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(packed).view(np.uint64).reshape(-1, BYTES // 8)


def _bits(packed: np.ndarray) -> np.ndarray:
    return np.bitwise_count(packed).sum(axis=1, dtype=np.int64)


@numba.njit(cache=True)
def _common(one: np.ndarray, other: np.ndarray) -> int:
    """Bits that two fingerprints share."""
    count = np.uint64(0)
    for n in range(len(one)):
        word = one[n] & other[n]
        word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
        word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
        word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        count += (word * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return int(count)


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
def _pairs(words: np.ndarray, bits: np.ndarray, similarity: float) -> np.ndarray:
    """Pairs (n, m), n < m, of fingerprints in ascending order of their bits."""
    found = np.empty((1024, 2), np.int64)
    size = 0
    for n in range(len(words)):
        for m in range(n + 1, len(words)):
            if bits[n] < similarity * bits[m]:
                break
            common = _common(words[n], words[m])
            union = bits[n] + bits[m] - common
            if union > 0 and common >= similarity * union:
                if size == len(found):
                    larger = np.empty((2 * size, 2), np.int64)
                    larger[:size] = found
                    found = larger
                found[size, 0], found[size, 1] = n, m
                size += 1
    return found[:size]
