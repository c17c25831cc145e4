import os
import signal

import pytest

from tenfold.hpc.cluster import WorkerDiedError, map_unordered
from tenfold.hpc.engine import Engine


def squared(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def test_a_single_process_is_the_calling_one():
    assert dict(map_unordered(lambda number: (os.getpid(), number), [3, 4], Engine())) == {
        0: (os.getpid(), 3),
        1: (os.getpid(), 4),
    }


def test_an_item_that_kills_its_process_twice_is_named():
    with pytest.raises(WorkerDiedError, match="item 1 died") as caught:
        list(map_unordered(squared, [1, -2], Engine(processes=2)))
    assert caught.value.position == 1
