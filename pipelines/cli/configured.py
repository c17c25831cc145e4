"""Commands with a configuration: the options that read it, and steps shared by training, ingest and studies."""

import functools
import inspect
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from tenfold.pipelines.cli.console import console, load_tensorflow, on_ranks
from tenfold.pipelines.cli.options import ConfigFile, Settings
from tenfold.pipelines.errors import InputError

_PRESETS = Path(__file__).parents[1] / "presets"


def configured(
    *studies: str, preset: str | None = None, keys: Mapping[str, str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command the options ``--config``, ``--preset`` and ``--set``.

    The command is called with the configuration that they make, as its argument ``config``.

    Parameters
    ----------
    studies
        Names of the studies whose configuration is read; of several, ``--study`` selects one, the first by default.
    preset
        Preset where neither ``--preset`` nor ``--config`` is given; None: the study's default.
    keys
        Configuration keys that options of the command set, by name of the option's argument.
    """
    keys = keys or {}
    names = sorted({file.stem for study in studies for file in (_PRESETS / study).glob("*.yaml")})
    options = {
        "study": Annotated[str, typer.Option("--study", help=f"Study whose configuration is read: {_or(studies)}.")],
        "file": ConfigFile,
        "preset": Annotated[str | None, typer.Option("--preset", help=f"{_or(names)}.")],
        "settings": Settings,
    }
    defaults: dict[str, Any] = {"study": studies[0], "file": None, "preset": None, "settings": None}
    if len(studies) == 1:
        del options["study"]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = {name: p for name, p in inspect.signature(command).parameters.items() if name != "config"}

        @functools.wraps(command)
        def call(**arguments: Any) -> None:
            from tenfold.pipelines.config import load
            from tenfold.pipelines.studies.study import study_named

            kind = study_named(arguments.get("study", studies[0]), studies)
            settings = [f"{key}={json.dumps(arguments.pop(name))}" for name, key in keys.items() if arguments.get(name)]
            preset_name = arguments["preset"] or (None if arguments["file"] else preset)
            config = load(kind, arguments["file"], preset_name, (*(arguments["settings"] or ()), *settings))
            command(
                config=config, **{name: value for name, value in arguments.items() if name in own and name not in keys}
            )

        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
            for name, annotation in options.items()
        ]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own.values()]
        call.__signature__ = inspect.Signature([*parameters, *added])  # type: ignore[attr-defined]
        call.__annotations__ = {name: p.annotation for name, p in own.items()} | options
        return call

    return decorate


def show(result: Any) -> None:
    """Print a table as it is, and anything else as text of any width."""
    if isinstance(result, Group | Table):
        console.print(result)
    else:
        console.print(str(result), soft_wrap=True)


def train_network(
    kind: Any,
    config: Any,
    data: Path | None,
    out: Path | None,
    *,
    resume: bool,
    dry_run: bool,
    describe: Callable[[Any, Path | None], Group | Table],
    then: str,
    **options: Any,
) -> None:
    """Train a network on all ranks and print what to do next, or describe the training.

    Parameters
    ----------
    kind
        Name of the kind of network.
    config
        Configuration with the sections ``network`` and ``training``.
    data, out
        Folder of shards, and folder of the run.
    resume
        Resume from the newest checkpoint.
    dry_run, describe
        Whether only to show the description, and the function that makes it.
    then
        The command to run next, with RUN for the folder of the run.
    options
        Further arguments of the training.

    Raises
    ------
    InputError
        One of the folders is not given, or the training failed.
    """
    if dry_run:
        show(describe(config, data))
        return
    if data is None or out is None:
        raise InputError("give the folder of shards and --out RUN (only --dry-run does without)")
    with on_ranks(out) as ranks:
        from tenfold.pipelines.studies.kinds import kind_named

        folder = kind_named(kind).train(data, out, config.network, config.training, ranks, resume=resume, **options)
        if ranks.first:
            for target in folder.read_record().get("targets", ()):
                console.print(target, soft_wrap=True, highlight=False)
            console.print(f"Trained: {folder.path}. Next: {then.replace('RUN', str(folder.path))}", soft_wrap=True)


def run_whole_study(config: Any, out: Path, *, ranks: int, dry_run: bool, describe: Callable[[Any], Group]) -> None:
    """Run a study and print its result, or describe it."""
    load_tensorflow()
    if dry_run:
        show(describe(config))
        return
    from tenfold.pipelines.studies.study import run_study

    start = time.monotonic()
    validation = run_study(config, out, ranks=ranks)
    for sentence in validation.summary:
        console.print(sentence, soft_wrap=True, highlight=False)
    console.print(f"Done in {(time.monotonic() - start) / 60:.1f} min. Report: {validation.report}", soft_wrap=True)


def _or(names: Any) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
