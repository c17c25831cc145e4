"""Configurations: typed and frozen, read from and written to YAML, with errors that name file, line and key."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.plain_yaml import Places, parse_yaml, read_yaml

PRESET_FOLDER = Path(__file__).parent / "presets"


class Study(Protocol):
    """Configuration of a study: a dataclass with one dataclass per section, and presets."""

    STUDY: ClassVar[str]
    """Name of the study, and of its folder of presets."""
    DEFAULT: ClassVar[str]
    """Preset that is used where none is named."""


Run = TypeVar("Run", bound=Study)


def presets(kind: type[Study]) -> list[str]:
    """Return the names of the presets of a study."""
    return sorted(path.stem for path in (PRESET_FOLDER / kind.STUDY).glob("*.yaml"))


def load(kind: type[Run], file: Path | None = None, preset: str | None = None, settings: tuple[str, ...] = ()) -> Run:
    """Read a configuration: a preset, overridden by a file, then by single settings.

    Parameters
    ----------
    kind
        Type of the configuration, such as `tenfold.pipelines.studies.cosmology_config.CosmologyRun`.
    file
        YAML file; keys that it omits are taken from the preset.
    preset
        Name of a preset; default: that of the study, if no file is given either.
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
    places: Places = {}
    sources = []
    if preset is not None:
        known = presets(kind)
        if preset not in known:
            raise InputError(f"--preset {preset}: unknown preset; valid are {', '.join(known)}")
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
        where = f"--set {setting[:200]}"
        places[path] = where
        is_text = _kind_at(kind, path) is str and not value.startswith(('"', "'"))
        leaf: Any = value if is_text else parse_yaml(value, where)  # {simulation}.npy is a text, not a mapping
        for name in reversed(path):
            leaf = {name: leaf}
        _check_keys(leaf, kind, (), {path[: i + 1]: where for i in range(len(path))})
        _overlay(tree, leaf)
    return check(kind, tree, places)


def check(kind: type[Run], tree: dict[str, Any], places: Places | None = None) -> Run:
    """Build the typed configuration from plain values; ``places`` holds the position of each key.

    Numbers must be finite; numbers and texts are not converted to booleans, nor booleans to numbers.
    """
    places = places or {}
    _check_keys(tree, kind, (), places)
    _check_values(tree, kind, (), places)
    try:
        return TypeAdapter(kind).validate_python(_completed(kind, tree))
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = tuple(str(part) for part in problem["loc"] if part != "__root__")
            reason = problem["msg"].removeprefix("Value error, ")
            name, colon, detail = reason.partition(": ")
            if colon and (*path, name) in places:  # the section's own check names the key
                path, reason = (*path, name), detail
            prefix = "" if isinstance(problem["input"], dict) else f"found {_shown(problem['input'])}: "
            lines.append(f"{_place(path, places)}{'.'.join(path)}: {prefix}{reason}")
        raise InputError("\n".join(lines)) from None


def _completed(kind: type, tree: dict[str, Any]) -> dict[str, Any]:
    """Complete sections by the study's own defaults, where these differ from those of the section's type.

    Other defaults stay open, since they may depend on the given keys, as the published architecture on the network.
    """
    defaults = kind()
    completed: dict[str, Any] = {}
    for name, value in tree.items():
        default = getattr(defaults, name)
        if dataclasses.is_dataclass(default) and not isinstance(default, type) and isinstance(value, dict):
            general = dataclasses.asdict(type(default)())
            section = {key: own for key, own in dataclasses.asdict(default).items() if own != general[key]}
            _overlay(section, value)
            completed[name] = section
        else:
            completed[name] = value
    return completed


def dump(config: Any) -> str:
    """Return a configuration as YAML."""
    return yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False, allow_unicode=True)


def _read(source: Path, kind: type, places: Places) -> dict[str, Any]:
    """Read a YAML file, and record the line of each key."""
    here: Places = {}
    tree = read_yaml(source, here)
    if not isinstance(tree, dict | None):
        raise InputError(f"{source}: holds no sections; valid are {', '.join(_names(kind))}")
    _check_keys(tree or {}, kind, (), here)
    places.update(here)
    return tree or {}


def _kind_at(kind: type, path: tuple[str, ...]) -> Any:
    """Return the type of a key, without its annotations; None if there is no such key."""
    found: Any = kind
    for name in path:
        if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
            return None
        found = typing.get_type_hints(found).get(name)
    return found


def _check_keys(tree: Any, kind: type, path: tuple[str, ...], places: Places) -> None:
    """Refuse unknown keys, with the nearest valid one, or the new name of a renamed key (``RENAMED``)."""
    if not isinstance(tree, dict):
        where = _place(path, places) + ".".join(path)
        raise InputError(f"{where}: found {_shown(tree)}, expected the keys {', '.join(_names(kind))}")
    fields = {f.name: f.type for f in dataclasses.fields(kind)}
    for key, value in tree.items():
        here = (*path, str(key))
        if key not in fields:
            renamed = getattr(kind, "RENAMED", {}).get(key)
            if renamed:
                raise InputError(f"{_place(here, places)}{'.'.join(here)}: renamed to {'.'.join((*path, renamed))}")
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            where = f"in {'.'.join(path)}" if path else "at the top"
            raise InputError(
                f"{_place(here, places)}{'.'.join(here)}: unknown key{hint} (valid {where}: {', '.join(fields)})"
            )
        kind_of_key = fields[key]
        if isinstance(kind_of_key, type) and dataclasses.is_dataclass(kind_of_key):
            _check_keys(value, kind_of_key, here, places)


def _check_values(tree: dict[str, Any], kind: type, path: tuple[str, ...], places: Places) -> None:
    """Refuse numbers that are not finite, and booleans and numbers in place of each other."""
    kinds = typing.get_type_hints(kind)
    for key, value in tree.items():
        here = (*path, str(key))
        if dataclasses.is_dataclass(kinds[key]):
            _check_values(value, kinds[key], here, places)
            continue
        allowed = set(_scalars(kinds[key]))
        for leaf in _leaves(value):
            reason = ""
            number = isinstance(leaf, int | float) and not isinstance(leaf, bool)
            if isinstance(leaf, bool) and bool not in allowed and allowed & {int, float}:
                reason = "expected a number"
            elif bool in allowed and not isinstance(leaf, bool) and type(leaf) not in allowed and leaf is not None:
                reason = "expected true or false"
            elif (number or str not in allowed) and allowed & {int, float} and not _finite(leaf):
                reason = "expected a finite number"
            if reason:
                raise InputError(f"{_place(here, places)}{'.'.join(here)}: found {_shown(leaf)}, {reason}")


def _finite(value: Any) -> bool:
    """Whether a value is a finite number, or not a number."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
    except (TypeError, ValueError):
        return True


def _scalars(kind: Any) -> Iterator[Any]:
    """Yield the types of the single values that a field's type is made of; of dictionaries, those of the values."""
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        yield from map(type, inner)
    elif typing.get_origin(kind) is typing.Annotated:
        yield from _scalars(inner[0])
    elif not inner:
        yield kind
    else:
        for part in inner[1:] if typing.get_origin(kind) is dict else inner:
            yield from _scalars(part)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


def _place(path: tuple[str, ...], places: Places) -> str:
    """Return 'file, line n: ' of a key, or of its section."""
    while path:
        if path in places:
            return f"{places[path]}: "
        path = path[:-1]
    return ""


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> None:
    """Override the keys of one tree by another's; ``ranges`` and ``units`` are replaced as a whole."""
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key not in ("ranges", "units"):
            _overlay(base[key], value)
        else:
            base[key] = value


def _shown(value: Any) -> str:
    """Return a value as text for a message."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:80]} …"


def _names(kind: type) -> list[str]:
    return [f.name for f in dataclasses.fields(kind)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
