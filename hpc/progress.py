"""Progress of long work: a bar on a terminal, one line per interval in a log."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("tenfold")


@contextmanager
def progress(
    what: str, total: int, unit: str = "", *, show: bool = True, interval_s: float = 15.0
) -> Iterator[Callable[..., None]]:
    """Show how far a piece of work has come.

    Parameters
    ----------
    what
        What is being done, in a word or two: "Simulating".
    total
        Number of pieces of work.
    unit
        What a piece is called: "box".
    show
        False shows nothing: for the ranks that are not the first.
    interval_s
        Least time between two lines where standard error is no terminal [s].

    Yields
    ------
    callable
        ``advance(n=1, note="")``: n more pieces are done; the note (say, a loss) stands behind the count.
    """
    if not show:
        yield lambda n=1, note="": None
        return
    if sys.stderr.isatty():
        # here alone, so that worker processes, which show nothing, start without it
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
        bar = Progress(
            *columns,
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
        )
        with bar:
            task = bar.add_task(what, total=total, note="")
            yield lambda n=1, note="": bar.update(task, advance=n, note=note)
        return

    start = last = time.monotonic()
    done = 0

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= interval_s or done == total:
            left = (now - start) / max(done, 1) * (total - done)
            log.info("%s %d/%d %s, %.0f s, about %.0f s left %s", what, done, total, unit, now - start, left, note)
            last = now

    yield advance
