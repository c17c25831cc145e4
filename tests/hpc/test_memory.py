import multiprocessing
import resource
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tenfold.hpc.memory import keep_freed_memory


def _faults_of_repeated_arrays(in_thread: bool) -> tuple[bool, int]:
    supported = keep_freed_memory()
    if not in_thread:
        return supported, _count_faults()
    with ThreadPoolExecutor(1) as thread:
        return supported, thread.submit(_count_faults).result()


def _count_faults() -> int:
    np.ones(2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        first = np.ones(2**20)
        second = np.ones(2**20)
        del first, second
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.parametrize("in_thread", [False, True])
def test_repeated_arrays_of_8_mib_cause_no_new_page_faults(in_thread):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        supported, faults = pool.apply(_faults_of_repeated_arrays, (in_thread,))
    if not supported:
        pytest.skip("the C library is not glibc")
    assert faults < 2 * 2 * 2048  # the pages of two arrays, with room for others; twenty rounds would be 81,920
