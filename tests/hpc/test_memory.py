import multiprocessing
import resource

import numpy as np
import pytest

from tenfold.hpc.memory import keep_freed_memory


def _faults_of_repeated_arrays(keep: bool) -> tuple[bool, int]:
    kept = keep_freed_memory() if keep else False
    np.ones(2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        first = np.ones(2**20)
        second = np.ones(2**20)
        del first, second
    return kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_arrays_of_8_mib_made_again_cost_no_new_pages():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        kept, faults = pool.apply(_faults_of_repeated_arrays, (True,))
    if not kept:
        pytest.skip("the C library is not glibc")
    assert faults < 2 * 2 * 2048  # the pages of two arrays, with room for others; twenty rounds would be 81,920
