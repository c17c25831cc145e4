import os
import signal

import pytest

from tenfold.hpc.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_is_recorded_and_work_continues(number):
    with StopRequest() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.received is number


def test_the_previous_signal_handlers_are_restored():
    before = signal.getsignal(signal.SIGUSR1)
    with StopRequest(signal.SIGUSR1):
        assert signal.getsignal(signal.SIGUSR1) is not before
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is before
