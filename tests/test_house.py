"""Every folder is packaged, and documents name only existing commands, options and settings."""

import contextlib
import dataclasses
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies import STUDIES
from tenfold.pipelines.studies.study import study_named

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "hpc/*.md", "notebooks/*.py")
    for path in sorted(ROOT.glob(pattern))
    if path.name != "CHANGELOG.md"  # it names what was renamed
]
COMMAND_LINE = typer.main.get_command(app)


def test_every_folder_with_code_is_listed_for_the_wheel():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    packages = {
        "tenfold." + str(init.parent.relative_to(ROOT)).replace("/", ".")
        for top in ("pipelines", "emulators", "stats", "hpc")
        for init in (ROOT / top).rglob("__init__.py")
    }
    folders = {
        "tenfold." + str(file.parent.relative_to(ROOT)).replace("/", ".")
        for top in ("pipelines", "emulators", "stats", "hpc")
        for file in (ROOT / top).rglob("*.py")
    }
    assert {"tenfold", *packages} == {"tenfold", *folders} == listed


def missing_from_wheel(package_data: dict[str, list[str]]) -> set[str]:
    """Data files that the wheel needs and these patterns of pyproject.toml do not match."""
    patterns = {f"{'/'.join(name.split('.')[1:])}/{glob}" for name, globs in package_data.items() for glob in globs}
    carried = {file for pattern in patterns for file in ROOT.glob(pattern)}
    needed = {
        file
        for folder in ("pipelines/presets", "pipelines/reports/templates", "hpc/slurm")
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
    }
    return {str(file.relative_to(ROOT)) for file in needed - carried}


def package_data() -> dict[str, list[str]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]


def test_every_data_file_is_carried_by_the_wheel():
    assert not missing_from_wheel(package_data())


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("tenfold.pipelines", "pipelines/presets/cosmology/demo.yaml"),
        ("tenfold.pipelines.reports", "pipelines/reports/templates/massmaps.html.j2"),
        ("tenfold.hpc", "hpc/slurm/cosmology.sbatch"),
    ],
)
def test_a_wheel_without_presets_templates_or_batch_scripts_is_noticed(package, file):
    assert (ROOT / file).is_file()
    assert file in missing_from_wheel({name: globs for name, globs in package_data().items() if name != package})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_only_targets_of_the_makefile(document):
    (phony,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets, text = set(phony.split()), document.read_text()
    named = re.findall(r"(?:`|^)make ((?:[a-z-]+ ?)+)", text, re.MULTILINE)
    assert {target for line in named for target in line.split()} <= targets


def command_lines(text: str) -> Iterator[list[str]]:
    """Words of each `tenfold …` command of a document after the first, up to a redirection; fenced and inline code."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`(tenfold [^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line for block in fenced for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *(" ".join(code.split()) for code in inline)]:
        match = re.match(r"(?:\$ )?(?:\S*(?:mpirun|srun)\b.*? )?tenfold +(.*)", line.strip())
        if match:
            words = list(itertools.takewhile(lambda word: word not in (">", "|"), shlex.split(match[1], comments=True)))
            yield [word for word in words if word not in ("…", "...")]


def problem(words: list[str]) -> str:
    """Unknown part of a command line; empty if it is valid."""
    command = COMMAND_LINE
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    options = {"--help"} | {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    unknown = [name for word in words if word.startswith("--") and (name := word.partition("=")[0]) not in options]
    if unknown:
        return f"no option {unknown[0]}"
    flags = {name for option in command.params if getattr(option, "is_flag", False) for name in option.opts} | {
        "--help"
    }
    taken = {i + 1 for i, word in enumerate(words) if word.startswith("--") and "=" not in word and word not in flags}
    positional = [word for i, word in enumerate(words) if i not in taken and not word.startswith("--")]
    numbers = [option.nargs for option in command.params if option.param_type_name == "argument"]
    too_many = not hasattr(command, "commands") and -1 not in numbers and len(positional) > sum(numbers)
    return f"{positional[-1]} is one argument too many" if too_many else ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_show_only_commands_and_options_of_the_command_line(document):
    problems = [(words, problem(words)) for words in command_lines(document.read_text())]
    assert not [f"tenfold {' '.join(words)}: {fault}" for words, fault in problems if fault]


def test_the_readme_shows_the_command_line_and_wrong_lines_of_it_are_noticed():
    shown = list(command_lines((ROOT / "README.md").read_text()))
    assert len(shown) > 20
    assert problem(["train", "estimatr", "data"]) == "no command estimatr"
    assert problem(["validate", "run", "--unsen=more"]) == "no option --unsen"
    assert problem(["validate", "run", "--seed", "1", "more"]) == "more is one argument too many"
    assert not problem(["ingest", "volumes", "one", "two", "--dry-run", "--out", "data"])
    assert list(
        command_lines("`tenfold validate run --null x` and\n```sh\nmpirun -np 2 tenfold doctor # sound?\n```")
    ) == [
        ["doctor"],
        ["validate", "run", "--null", "x"],
    ]


def configuration_keys(kind: type, path: str = "") -> Iterator[str]:
    for field in dataclasses.fields(kind):
        default = getattr(kind(), field.name)
        if dataclasses.is_dataclass(default):
            yield from configuration_keys(type(default), f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_set_only_keys_of_a_configuration(document):
    keys = {key for name in STUDIES for key in configuration_keys(study_named(name))}
    assert set(re.findall(r"--set[ =]([a-z_]+\.[a-z_0-9]+)", document.read_text())) <= keys


def settings(text: str) -> Iterator[str]:
    """Values of `--set` in the commands and the inline code of a document, as a shell passes them on."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]*--set [^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line for block in fenced for line in block.replace("\\\n", " ").splitlines() if "--set " in line]
    for line in [*lines, *(" ".join(code.split()) for code in inline)]:
        words = shlex.split(line, comments=True)
        yield from (after for word, after in itertools.pairwise(words) if word == "--set" and "…" not in after)


def accepted_by(setting: str) -> list[str]:
    """Studies whose configuration accepts a setting; targets that it mentions are added."""
    target = re.search(r"\{(\w+):", setting)
    targets = (f"ingest.targets=[{target[1]}]",) if target else ()
    accepted = []
    for name in STUDIES:
        with contextlib.suppress(InputError):
            load(study_named(name), settings=(setting,))
            accepted.append(name)
        with contextlib.suppress(InputError):
            load(study_named(name), settings=(*targets, setting))
            accepted.append(name)
    return accepted


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_settings_that_documents_show_are_valid(document):
    partly = (
        "ingest.split_column=",
        "network.size=",
        "estimator.size=",
        "estimator.width=",
        "ingest.table_",
        "ingest.patch_",
    )  # valid together with others
    shown = [setting for setting in settings(document.read_text()) if not setting.startswith(partly)]
    assert not [setting for setting in shown if "=" in setting and not accepted_by(setting)]


def test_a_wrong_setting_is_noticed():
    shown = list(settings('`--set training.epochs=1,5`\n```\ntenfold validate run --set "ingest.seed=1"\n```'))
    assert shown == ["ingest.seed=1", "training.epochs=1,5"]
    assert not accepted_by("training.epochs=1,5")
    assert not accepted_by("ingest.kinds={active:classification}")
    assert accepted_by("ingest.kinds={active: classification}") == ["chemistry"]
