"""Groups of commands, shared options, and the output of `tenfold` to a terminal."""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.segment import Segment
from rich.text import Text

from tenfold.hpc.engine import EngineError
from tenfold.hpc.memory import keep_freed_memory
from tenfold.hpc.ranks import Ranks, RanksError, launch
from tenfold.hpc.signals import STOPPED
from tenfold.pipelines.cli.terminal_text import visible
from tenfold.pipelines.errors import InputError


class Terminal(Console):
    """A console that shows text literally: names of files neither control the terminal nor count as markup."""

    def __init__(self, *, stderr: bool = False):
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Return a string as text with control characters escaped; Rich would drop some of them."""
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as `rich.console.Console` does, with control characters escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class PlainFormatter(logging.Formatter):
    """Formats log records as text without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record and its traceback, with control characters escaped."""
        return visible(super().format(record))


console = Terminal()
simulate = typer.Typer(no_args_is_help=True, help="Make simulations for training.")
ingest = typer.Typer(no_args_is_help=True, help="Pack data into shards for training.")
train = typer.Typer(no_args_is_help=True, help="Train a network, on every rank under mpirun or srun.")
predict = typer.Typer(no_args_is_help=True, help="Predict with a trained network.")
explain = typer.Typer(no_args_is_help=True, help="Attribute the predictions of a trained network to its inputs.")
run = typer.Typer(no_args_is_help=True, help="Run a whole study, from simulation to report.")
config = typer.Typer(no_args_is_help=True, help="Show or check a configuration.")


@contextmanager
def on_ranks(out: Path) -> Iterator[Ranks]:
    """Join the other ranks; an error ends all of them and is reported once, a requested stop is not an error."""
    ranks = launch()
    log(ranks.first)
    keep_freed_memory()  # after MPI has started, and before TensorFlow starts its threads
    try:
        from tenfold.pipelines.training.run import Stopped

        try:
            yield ranks
        except Stopped:
            if ranks.first:
                console.print(f"Stopped as requested; the same command with --resume continues in {out}.")
            raise typer.Exit(STOPPED) from None
    except Exception as error:
        if ranks.size > 1 and not isinstance(error, typer.Exit):
            time.sleep(0 if ranks.first else 5)  # an error of all ranks is reported once, by the first
            report_error(error, f"rank {ranks.rank}: ")
            ranks.abort(2 if isinstance(error, InputError) else 1)
        raise


def log(show: bool = True) -> None:
    """Send tenfold's log to standard error; only warnings, unless ``show``."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Terminal(stderr=True), show_path=False, show_level=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(PlainFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.getLogger("py.warnings").handlers[:] = [handler]
    logger = logging.getLogger("tenfold")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO if show else logging.WARNING)


def load_tensorflow() -> None:
    """Import TensorFlow without the messages it prints at any log level; they are shown if the import fails."""
    with tempfile.TemporaryFile() as messages:
        stderr = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            import keras  # noqa: F401
        except BaseException:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def report_error(error: BaseException, prefix: str = "") -> None:
    """Print an error: an error of the input as its message, any other with its traceback."""
    if isinstance(error, (InputError, EngineError, RanksError)):
        Terminal(stderr=True).print(f"tenfold: {prefix}{error}", style="bold red", soft_wrap=True)
    else:
        logging.getLogger("tenfold").error("%s%s", prefix, error, exc_info=error)
