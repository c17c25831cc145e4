import os
import signal
import time

import pytest

from tenfold.hpc.isolated import Died, isolated


def reciprocal(number: float) -> float:
    if number == -1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == -2:
        time.sleep(60)
    return 1 / number


def test_a_crash_or_a_hang_costs_only_its_own_item():
    found = list(isolated(reciprocal, [1, -1, 2, -2, -2, 4], limit_s=1.0))
    crashed, hung = Died(reason="crashed the process"), Died(reason="did not end within 1 s")
    assert found == [1, crashed, 0.5, hung, hung, 0.25]


def test_what_the_function_raises_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        list(isolated(reciprocal, [1, 0], limit_s=10.0))


def test_no_items_need_no_process():
    assert list(isolated(reciprocal, [], limit_s=1.0)) == []
