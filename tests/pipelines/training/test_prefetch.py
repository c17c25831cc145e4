"""Batches come in order, once each; an error comes where it is consumed; nothing is left running."""

import threading

import pytest

from tenfold.pipelines.training.prefetch import Prefetcher


def test_batches_come_once_each_and_in_order():
    assert list(Prefetcher(depth=2).iterate(iter(range(50)))) == list(range(50))


def test_an_error_in_preparing_is_raised_after_the_batches_before_it():
    def broken():
        yield 1
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(iter(Prefetcher().iterate(broken())))
    assert seen == [1]


def test_no_thread_outlives_a_consumer_that_leaves_early():
    before = set(threading.enumerate())
    batches = Prefetcher(depth=1).iterate(iter(range(1000)))
    assert next(batches) == 0
    batches.close()
    assert set(threading.enumerate()) == before
