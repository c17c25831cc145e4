"""Progress display: a bar on a terminal, periodic lines in a log."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("tenfold")


@contextmanager
def progress(
    description: str, total: int, unit: str = "", *, show: bool = True, interval_s: float = 15.0
) -> Iterator[Callable[..., None]]:
    """Display the progress of a task.

    Parameters
    ----------
    description
        Short description, such as "Simulating".
    total
        Number of items.
    unit
        Name of an item, such as "box".
    show
        Whether to display anything; False on all ranks but the first.
    interval_s
        Minimum time between log lines where standard error is not a terminal [s].

    Yields
    ------
    callable
        ``advance(n=1, note="")`` reports n finished items and a note, such as the loss.
    """
    if not show:
        yield lambda n=1, note="": None
        return
    if sys.stderr.isatty():
        # imported here so that worker processes, which display nothing, start without it
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
            task = bar.add_task(description, total=total, note="")
            yield lambda n=1, note="": bar.update(task, advance=n, note=note)
        return

    start = last = time.monotonic()
    done = 0

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= interval_s or done == total:
            remaining = (now - start) / max(done, 1) * (total - done)
            log.info(
                "%s %d/%d %s, %.0f s, about %.0f s left %s",
                description,
                done,
                total,
                unit,
                now - start,
                remaining,
                note,
            )
            last = now

    yield advance
