"""The terminal side of `tenfold`: its groups of commands, the options they share, and how it speaks."""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.segment import Segment
from rich.text import Text

from tenfold.hpc.memory import keep_freed_memory
from tenfold.hpc.ranks import Ranks, RanksError, launch
from tenfold.hpc.signals import STOPPED
from tenfold.pipelines.cli.terminal_text import visible
from tenfold.pipelines.errors import InputError


class Terminal(Console):
    """A console that shows text as it stands: names of files neither steer the terminal nor are read as markup."""

    def __init__(self, *, stderr: bool = False):
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Turn a string into text, its control characters written out: Rich itself would drop some of them."""
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as `rich.console.Console` does, with control characters of the text written out."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class PlainFormatter(logging.Formatter):
    """Formats records as text that does not steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, its traceback included, with control characters written out."""
        return visible(super().format(record))


console = Terminal()
simulate = typer.Typer(no_args_is_help=True, help="Make simulations to learn from.")
ingest = typer.Typer(no_args_is_help=True, help="Pack data into shards that training reads at full speed.")
train = typer.Typer(no_args_is_help=True, help="Train a network; under mpirun or srun, on every rank.")
predict = typer.Typer(no_args_is_help=True, help="Let a trained network answer.")
explain = typer.Typer(no_args_is_help=True, help="Show what a trained network looks at.")
run = typer.Typer(no_args_is_help=True, help="Do a whole study, from nothing to its report.")
config = typer.Typer(no_args_is_help=True, help="Show or check a configuration.")

Out = Annotated[
    Path, typer.Option("--out", help="Folder to write to; a file that tenfold did not make there is never replaced.")
]


@contextmanager
def on_ranks(out: Path) -> Iterator[Ranks]:
    """Join the other ranks; what goes wrong ends all of them, told once, and a stop that was asked for is no error."""
    ranks = launch()
    log(ranks.first)
    keep_freed_memory()
    try:
        from tenfold.pipelines.training.run import Stopped

        try:
            yield ranks
        except Stopped:
            if ranks.first:
                console.print(f"Stopped as asked; the same command with --resume goes on in {out}.")
            raise typer.Exit(STOPPED) from None
    except Exception as error:
        if ranks.size > 1 and not isinstance(error, typer.Exit):
            time.sleep(0 if ranks.first else 5)  # an error that all ranks meet is told once, by the first
            tell(error, f"rank {ranks.rank}: ")
            ranks.abort(2 if isinstance(error, InputError) else 1)
        raise


def log(show: bool = True) -> None:
    """Send tenfold's log to standard error; ranks that are not the first only warn."""
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
    """Load TensorFlow without the greetings it writes past every log level; they are kept for an import that fails."""
    with tempfile.TemporaryFile() as greetings:
        stderr = os.dup(2)
        os.dup2(greetings.fileno(), 2)
        try:
            import keras  # noqa: F401
        except BaseException:
            greetings.seek(0)
            os.write(stderr, greetings.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def tell(error: BaseException, prefix: str = "") -> None:
    """Print an error: a message meant for the user plainly, anything else with its traceback."""
    if isinstance(error, (InputError, RanksError)):
        Terminal(stderr=True).print(f"tenfold: {prefix}{error}", style="bold red", soft_wrap=True)
    else:
        logging.getLogger("tenfold").error("%s%s", prefix, error, exc_info=error)
