import multiprocessing
import resource

import numpy as np
import pytest

from tenfold.hpc.memory import keep_freed_memory


def _faults_of_repeated_arrays(keep: bool) -> tuple[bool, int]:
    supported = keep_freed_memory() if keep else False
    np.ones(2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        first = np.ones(2**20)
        second = np.ones(2**20)
        del first, second
    return supported, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_repeated_arrays_of_8_mib_cause_no_new_page_faults():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        supported, faults = pool.apply(_faults_of_repeated_arrays, (True,))
    if not supported:
        pytest.skip("the C library is not glibc")
    assert faults < 2 * 2 * 2048  # the pages of two arrays, with room for others; twenty rounds would be 81,920
