"""Being asked to stop: a signal is noted, and the training loop stops cleanly at its next step."""

import signal
from types import FrameType

STOPPED = 75
"""Exit status of a run that was asked to stop, saved a checkpoint and can be resumed (EX_TEMPFAIL of sysexits.h)."""


class StopRequest:
    """Notes SIGTERM and SIGUSR1 while it is open, instead of dying of them.

    Signals reach the ranks of a run at different moments: let them agree (any rank asked -> all stop) before acting on
    `received`, or some wait for ever in a collective. A second signal of the same kind changes nothing.

        with StopRequest() as stop:
            for batch in batches:
                step(batch)
                if ranks.any(stop.received is not None):
                    ...save, leave with status STOPPED
    """

    def __init__(self, *signals: signal.Signals):
        self.signals = signals or (signal.SIGTERM, signal.SIGUSR1)
        self.received: signal.Signals | None = None
        """The first signal that came, None as long as there was none."""
        self._before = {}

    def __enter__(self) -> "StopRequest":
        for number in self.signals:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
