"""The configuration of a run: typed and frozen, YAML in and out, errors that name file, line and key."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from tenfold.pipelines.errors import InputError

PRESET_FOLDER = Path(__file__).parent / "presets"


class Study(Protocol):
    """A dataclass of dataclasses, a section each, with presets of its own."""

    STUDY: ClassVar[str]
    """Its folder of presets."""
    DEFAULT: ClassVar[str]
    """The preset that is meant where none is named."""


Run = TypeVar("Run", bound=Study)


def presets(kind: type[Study]) -> list[str]:
    """Return the names of the presets of a study."""
    return sorted(path.stem for path in (PRESET_FOLDER / kind.STUDY).glob("*.yaml"))


def load(kind: type[Run], file: Path | None = None, preset: str | None = None, settings: tuple[str, ...] = ()) -> Run:
    """Read a configuration: a preset, a file's keys over it, then single settings.

    Parameters
    ----------
    kind
        What is configured, such as `tenfold.pipelines.studies.cosmology_config.CosmologyRun`.
    file
        YAML file; what it leaves out is taken from the preset.
    preset
        Name of a preset; the study's default where neither it nor a file is given.
    settings
        Single values such as ``training.epochs=5``.

    Raises
    ------
    InputError
        An unknown key or a wrong value, with file, line and key.
    """
    if preset is None and file is None:
        preset = kind.DEFAULT
    tree: dict[str, Any] = {}
    places: dict[tuple[str, ...], str] = {}
    sources = []
    if preset is not None:
        known = presets(kind)
        if preset not in known:
            raise InputError(f"--preset {preset}: there is none of that name; there are: {', '.join(known)}")
        sources.append(PRESET_FOLDER / kind.STUDY / f"{preset}.yaml")
    if file is not None:
        sources.append(file)
    for source in sources:
        _overlay(tree, _read(source, kind, places))
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting}: write it as section.key=value")
        path = tuple(key.strip().split("."))
        places[path] = f"--set {setting}"
        try:
            leaf = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {setting}: {value!r} is no YAML value") from error
        for name in reversed(path):
            leaf = {name: leaf}
        _check_keys(leaf, kind, (), {path[: i + 1]: f"--set {setting}" for i in range(len(path))})
        _overlay(tree, leaf)
    return check(kind, tree, places)


def check(kind: type[Run], tree: dict[str, Any], places: dict[tuple[str, ...], str] | None = None) -> Run:
    """Build the typed configuration from plain values; ``places`` says where each key was read."""
    places = places or {}
    _check_keys(tree, kind, (), places)
    try:
        return TypeAdapter(kind).validate_python(_completed(kind, tree))
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = tuple(str(part) for part in problem["loc"] if part != "__root__")
            reason = problem["msg"].removeprefix("Value error, ")
            found = "" if isinstance(problem["input"], dict) else f"found {problem['input']!r}: "
            lines.append(f"{_place(path, places)}{'.'.join(path)}: {found}{reason}")
        raise InputError("\n".join(lines)) from None


def _completed(kind: type, tree: dict[str, Any]) -> dict[str, Any]:
    """Sections with the study's own values where a section's keys are left out, not those of the section's type.

    What a study leaves to the section's type stays left out: it may hang on the keys that are given, as the published
    shape of a network on which network it is.
    """
    defaults = kind()
    whole: dict[str, Any] = {}
    for name, value in tree.items():
        default = getattr(defaults, name)
        if dataclasses.is_dataclass(default) and not isinstance(default, type) and isinstance(value, dict):
            usual = dataclasses.asdict(type(default)())
            section = {key: own for key, own in dataclasses.asdict(default).items() if own != usual[key]}
            _overlay(section, value)
            whole[name] = section
        else:
            whole[name] = value
    return whole


def dump(config: Any) -> str:
    """Return a configuration as YAML."""
    return yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False, allow_unicode=True)


def _read(source: Path, kind: type, places: dict[tuple[str, ...], str]) -> dict[str, Any]:
    """Read a YAML file and note the line of each key."""
    try:
        text = source.read_text()
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror})") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{source}{line}: not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(tree, dict):
        raise InputError(f"{source}: holds no sections; expected some of {', '.join(_names(kind))}")
    here: dict[tuple[str, ...], str] = {}

    def note(node, path):
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here[(*path, str(key.value))] = f"{source}, line {key.start_mark.line + 1}"
                note(value, (*path, str(key.value)))

    note(node, ())
    _check_keys(tree, kind, (), here)
    places.update(here)
    return tree


def _check_keys(tree: Any, kind: type, path: tuple[str, ...], places: dict[tuple[str, ...], str]) -> None:
    """Refuse keys that a dataclass does not have, naming the nearest ones."""
    if not isinstance(tree, dict):
        where = _place(path, places) + ".".join(path)
        raise InputError(f"{where}: found {tree!r}, expected the keys {', '.join(_names(kind))}")
    fields = {f.name: f.type for f in dataclasses.fields(kind)}
    for key, value in tree.items():
        here = (*path, str(key))
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            where = f"in {'.'.join(path)}" if path else "at the top"
            raise InputError(
                f"{_place(here, places)}{'.'.join(here)}: unknown key{hint} (valid {where}: {', '.join(fields)})"
            )
        kind_of_key = fields[key]
        if isinstance(kind_of_key, type) and dataclasses.is_dataclass(kind_of_key):
            _check_keys(value, kind_of_key, here, places)


def _place(path: tuple[str, ...], places: dict[tuple[str, ...], str]) -> str:
    """Return 'file, line n: ' of a key, or of the section it stands in."""
    while path:
        if path in places:
            return f"{places[path]}: "
        path = path[:-1]
    return ""


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> None:
    """Lay the keys of one tree over another's; ``ranges`` and ``units`` are replaced whole."""
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key not in ("ranges", "units"):
            _overlay(base[key], value)
        else:
            base[key] = value


def _names(kind: type) -> list[str]:
    return [f.name for f in dataclasses.fields(kind)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
