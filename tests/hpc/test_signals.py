import os
import signal

import pytest

from tenfold.hpc.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_is_noted_and_the_work_goes_on(number):
    with StopRequest() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.received is number


def test_afterwards_signals_do_what_they_did_before():
    before = signal.getsignal(signal.SIGUSR1)
    with StopRequest(signal.SIGUSR1):
        assert signal.getsignal(signal.SIGUSR1) is not before
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is before
