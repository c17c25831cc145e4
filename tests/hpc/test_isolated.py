import os
import resource
import signal
import time

import pytest

from tenfold.hpc.isolated import ProcessDied, run_isolated


def reciprocal(number: float) -> float:
    if number == -1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == -2:
        time.sleep(60)
    return 1 / number


def test_a_crash_or_hang_affects_only_its_own_item():
    results = list(run_isolated(reciprocal, [1, -1, 2, -2, -2, 4], limit_s=1.0))
    crashed, hung = ProcessDied(reason="crashed the process"), ProcessDied(reason="did not end within 1 s")
    assert results == [1, crashed, 0.5, hung, hung, 0.25]


def test_exceptions_of_the_function_are_raised_in_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(run_isolated(reciprocal, [1, 0], limit_s=10.0))


def allocated(gib: float) -> int:
    return len(bytearray(round(gib * 2**30)))


def test_memory_is_limited_in_the_isolated_process_only():
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert list(run_isolated(allocated, [0.25], limit_s=60.0, max_bytes=2**30)) == [2**28]
    with pytest.raises(MemoryError):
        list(run_isolated(allocated, [2.0], limit_s=60.0, max_bytes=2**30))
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_no_process_is_started_without_items():
    assert list(run_isolated(reciprocal, [], limit_s=1.0)) == []


def folder_and_process(_: int) -> tuple[str, int]:
    return os.getcwd(), os.getpid()  # noqa: PTH109


def test_the_process_is_used_again_in_the_folder_of_the_caller(tmp_path, monkeypatch):
    ((before, first),) = run_isolated(folder_and_process, [0], limit_s=10.0)
    monkeypatch.chdir(tmp_path)
    ((after, second),) = run_isolated(folder_and_process, [0], limit_s=10.0)
    assert (first, after) == (second, str(tmp_path))
    assert before != after


def test_a_function_after_one_that_raised_or_was_given_up_gets_its_own_results():
    with pytest.raises(ZeroDivisionError):
        list(run_isolated(reciprocal, [0], limit_s=10.0))
    results = run_isolated(reciprocal, [1, 2, 4], limit_s=10.0)
    assert next(results) == 1
    results.close()
    assert list(run_isolated(reciprocal, [8], limit_s=10.0)) == [0.125]
