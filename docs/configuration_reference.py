"""Reference of all configuration keys, written from the dataclasses that define them.

    python docs/configuration_reference.py

writes docs/configuration.md; a test checks that the committed page is up to date.
"""

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any

from tenfold.pipelines.config import load, presets
from tenfold.pipelines.studies import STUDIES
from tenfold.pipelines.studies.study import study_named

PAGE = Path(__file__).parent / "configuration.md"
HEAD = """# Configuration

One YAML file holds all settings of a study, in sections. Every key is optional.

```
tenfold config show --preset demo > study.yaml                   # all settings; --study massmaps or chemistry
tenfold config validate study.yaml                               # check every key and value
tenfold run cosmology --config study.yaml --out study            # use it
tenfold train estimator data --out run --set training.epochs=50  # change one value
```

A preset is read first, then the file of `--config`, then each `--set`, in this order. If neither a preset nor a file is
given, the preset in bold below is used. An unknown key or a wrong value is refused with file, line, key and what is
valid. Keys that were renamed are refused with their [new name](renamed.md).

*Written by `docs/configuration_reference.py` from the dataclasses; "default" is the value without a preset. Where the
default preset of the study differs, its value follows.*
"""


def reference() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for name in STUDIES:
        study = study_named(name)
        names = ", ".join(f"**`{p}`**" if p == study.DEFAULT else f"`{p}`" for p in presets(study))
        parts.append(f"## Study `{name}`\n\nPresets: {names}.\n")
        default, preset = study(), load(study, preset=study.DEFAULT)
        for section in dataclasses.fields(study):
            kind = type(getattr(default, section.name))
            parts.append(f"### {name}: `{section.name}`\n\n{_summary(kind)} (`{kind.__module__}.{kind.__name__}`)\n")
            parts.append(_table(kind, getattr(default, section.name), getattr(preset, section.name), study.DEFAULT))
    return "\n".join(parts)


def _table(kind: type, default: Any, preset: Any, preset_name: str) -> str:
    documented, hints = field_docs(kind), typing.get_type_hints(kind)
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(kind):
        value, own = getattr(default, field.name), getattr(preset, field.name)
        shown = _value(value) + (f"; {preset_name}: {_value(own)}" if own != value else "")
        meaning = documented[field.name].replace("|", "\\|")
        rows.append(f"| `{field.name}` | {_type(hints[field.name])} | {shown} | {meaning} |")
    return "\n".join(rows) + "\n"


def field_docs(kind: type) -> dict[str, str]:
    """Return the documentation of each field of a dataclass, which stands below the field in the source."""
    documented: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for statement, below in pairwise(body):
            if isinstance(statement, ast.AnnAssign) and isinstance(below, ast.Expr):
                documented[statement.target.id] = " ".join(ast.literal_eval(below.value).split())  # type: ignore[attr-defined]
    return documented


def _summary(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def _type(hint: Any) -> str:
    """Return a type in words."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " \\| ".join(f"`{value}`" for value in inner)
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if part is type(None) else _type(part) for part in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}s" if inner[-1] is Ellipsis else f"[{', '.join(map(_type, inner))}]"
    if origin is dict:
        return f"mapping of names to {_type(inner[1])}"
    return {int: "integer", float: "number", str: "text", bool: "true or false"}.get(hint) or f"`{hint}`"


def _value(value: Any) -> str:
    """Return a value as YAML would show it, in code."""
    if value in ("", None) or (isinstance(value, tuple | dict) and not value):
        return "none"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(own)}" for key, own in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return re.sub(r"e([+-])0?(\d)$", r"e\1\2", f"{value:g}") if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
