"""Graceful stop: signals are recorded, and the training loop stops cleanly at its next step."""

import signal
from types import FrameType

STOPPED = 75
"""Exit status of a run that stopped on request after saving a checkpoint (EX_TEMPFAIL of sysexits.h)."""


class StopRequest:
    """Context manager that records SIGTERM and SIGUSR1 instead of letting them end the process.

    Signals reach the ranks of a run at different times. The ranks must agree to stop (if any rank received a signal,
    all stop) before acting on `received`; otherwise some wait forever in a collective. Further signals have no effect.

        with StopRequest() as stop:
            for batch in batches:
                step(batch)
                if ranks.any(stop.received is not None):
                    ...save, leave with status STOPPED
    """

    def __init__(self, *signals: signal.Signals):
        self.signals = signals or (signal.SIGTERM, signal.SIGUSR1)
        self.received: signal.Signals | None = None
        """First signal received; None before that."""
        self._handlers = {}

    def __enter__(self) -> "StopRequest":
        for number in self.signals:
            self._handlers[number] = signal.signal(number, self._record)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _record(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
