"""YAML of configurations: plain values only, of bounded size and depth, every key once; with the line of each key."""

import re
from pathlib import Path
from typing import Any

import yaml

from tenfold.pipelines.errors import InputError

LONGEST = 2**17
"""Longest text that is read [bytes]; configurations have a few thousand."""
DEEPEST = 16
"""Deepest nesting that is read."""

Places = dict[tuple[str, ...], str]
"""Position of each key, "FILE, line n", by its path of keys."""


class _Loader(yaml.SafeLoader):
    """Refuses aliases, deep nesting and repeated keys while it reads, before anything is built of them."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read: write the value out",
                                       problem_mark=event.start_mark)  # fmt: skip
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested more than {DEEPEST} deep", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Compose a mapping as PyYAML does, where a key that is there already is an error."""
        start = self.get_event()
        node = yaml.MappingNode("tag:yaml.org,2002:map", [], start.start_mark, flow_style=start.flow_style)
        seen: dict[str, int] = {}
        while not self.check_event(yaml.MappingEndEvent):
            mark = self.peek_event().start_mark
            key = self.compose_node(node, None)
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=mark)
            if key.value in seen:
                problem = f"key {key.value} is there already, in line {seen[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
            seen[key.value] = mark.line + 1
            node.value.append((key, self.compose_node(node, key)))
        node.end_mark = self.get_event().end_mark
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Build a value, where a tag that does not fit it, such as ``!!int x``, is an error like the others."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
            problem = f"no value of its kind ({str(error).splitlines()[0]})"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


# YAML 1.1 reads 010 as 8 and 1:30 as 90. Nobody means that: such a text stays a text, which a number's key refuses.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag.rpartition(":")[2] not in ("int", "float", "timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)\Z"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[-+]?\.inf|\.nan)\Z", re.IGNORECASE),
    list("-+0123456789."),
)


def read_yaml(file: Path, places: Places | None = None) -> Any:
    """Return the plain values of a YAML file: None, booleans, numbers, texts, lists, dictionaries.

    Parameters
    ----------
    file
        UTF-8.
    places
        Takes where each key stands.

    Raises
    ------
    InputError
        It cannot be read, is too long or not UTF-8, or is no YAML of this kind: with file and line.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(LONGEST + 1)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    if len(raw) > LONGEST:
        raise InputError(f"{file}: longer than {LONGEST:,} bytes: no configuration")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}). Save it as UTF-8."
        ) from error
    return parse_yaml(text, str(file), places)


def parse_yaml(text: str, where: str, places: Places | None = None) -> Any:
    """Return the plain values of YAML text; see `read_yaml`.

    Parameters
    ----------
    where
        What messages call it: a file's name.
    """
    if len(text) > LONGEST:
        raise InputError(f"{where}: longer than {LONGEST:,} characters: no configuration")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if places is not None:
            _note(node, (), where, places)
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{where}{line}: not YAML: {problem}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _note(node: Any, path: tuple[str, ...], where: str, places: Places) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            places[here] = f"{where}, line {key.start_mark.line + 1}"
            _note(value, here, where, places)
