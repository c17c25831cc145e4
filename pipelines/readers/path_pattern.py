"""Patterns of file paths with named fields: ``{simulation}/df_m_{grid}_CIC_z={redshift}.npy``."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath
from typing import Self

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.parameters import canonical_name

_FIELD = re.compile(r"\{([^{}]*)\}|(\*)|([{}])")
_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_TEXT = r"[^/]+?"


@dataclass(frozen=True, kw_only=True)
class PathFields:
    """Values of the fields of a pattern in one path."""

    simulation: str
    """Text of ``{simulation}``; empty if the pattern has no such field."""
    redshift: float | None
    parameters: dict[str, float]
    """Values by the names in the pattern."""


@dataclass(frozen=True, kw_only=True)
class PathPattern:
    """A pattern that is compared with the end of a path, as many folders as it has.

    ``{simulation}`` is the name of the simulation, ``{redshift}`` its redshift, and a field with any name of a
    cosmological parameter, such as ``{omega_m}`` or ``{H0}``, is the value of that parameter. Any other field matches
    text that is not used, as ``*`` does. A field that occurs twice must have the same text both times. No field
    contains ``/``.
    """

    text: str
    expression: re.Pattern[str]
    simulation: bool
    """Whether the pattern has the field ``{simulation}``."""
    parameters: tuple[str, ...]
    """Fields that are parameters."""
    groups: dict[str, str]
    """Group of the expression by field."""

    @classmethod
    def parse(cls, text: str, parameters: Collection[str] = ()) -> Self:
        """Return the pattern of a text.

        Parameters
        ----------
        text
            Pattern.
        parameters
            Further names of fields that are parameters.

        Raises
        ------
        InputError
            The pattern has an unmatched brace, or a field without a valid name.
        """
        expression, end = "", 0
        groups: dict[str, str] = {}
        for match in _FIELD.finditer(text):
            expression += re.escape(text[end : match.start()])
            end = match.end()
            if match[3] or (match[1] is not None and not _NAME.fullmatch(match[1])):
                raise InputError(
                    f"ingest.pattern: {text!r} has {match[0]!r}; fields are names in braces, as {{simulation}}, "
                    "{redshift} or {omega_m}"
                )
            name = match[1]
            if name is None:
                expression += _TEXT
            elif name in groups:
                expression += f"(?P={groups[name]})"
            else:
                is_number = name == "redshift" or name in parameters or canonical_name(name) is not None
                groups[name] = f"field_{len(groups)}"
                expression += f"(?P<{groups[name]}>{_NUMBER if is_number else _TEXT})"
        expression += re.escape(text[end:])
        return cls(
            text=text,
            expression=re.compile(f"(?:.*/)?{expression}", re.DOTALL),
            simulation="simulation" in groups,
            parameters=tuple(name for name in groups if name in parameters or canonical_name(name) is not None),
            groups=groups,
        )

    def match(self, path: PurePath) -> PathFields | None:
        """Return the fields of a path; None if it does not match."""
        match = self.expression.fullmatch(path.as_posix())
        if match is None:
            return None
        return PathFields(
            simulation=match[self.groups["simulation"]] if self.simulation else "",
            redshift=float(match[self.groups["redshift"]]) if "redshift" in self.groups else None,
            parameters={name: float(match[self.groups[name]]) for name in self.parameters},
        )
