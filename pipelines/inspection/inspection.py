"""Result of the inspection of a file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is known about a file."""

    path: Path
    kind: str
    """What the file is, such as "2 maps (FITS)"; empty if it cannot be used."""
    facts: dict[str, str]
    """Properties by name: shape, type, units, parameters, …"""
    problems: tuple[str, ...] = ()
    command: str = ""
    """Command that ingests it; words in capitals are to be filled in."""

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.kind or 'cannot be used'}"]
        rows = [*self.facts.items(), *(("problem", problem) for problem in self.problems)]
        lines += [f"  {name:<12} {text}" for name, text in rows]
        if self.command:
            lines.append(f"  {'ingest with':<12} {self.command}")
        return "\n".join(lines)
