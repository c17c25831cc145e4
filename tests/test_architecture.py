"""docs/architecture.md is true: its files exist, its rooms are the folders, its arrows are those that lint checks."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DRAWING = PAGE.partition("```mermaid")[2].partition("```")[0]


def test_every_file_that_the_page_names_exists():
    named = {name for name in re.findall(r"`([\w./]+\.(?:py|j2|html\.j2))`", PAGE) if "/" in name}
    assert len(named) > 40
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_function_that_the_page_calls_exists():
    for function, file in re.findall(r"`(\w+)` in\s+`([\w/]+\.py)`", PAGE):
        assert re.search(rf"^def {function}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}: {function}"


def test_the_drawing_shows_every_room():
    rooms = {folder.name for folder in (ROOT / "pipelines").iterdir() if folder.is_dir() and folder.name[0] != "_"}
    drawn = set(re.findall(r'^\s*(\w+)\["', DRAWING, re.MULTILINE))
    assert drawn == rooms | {"emulators", "stats", "hpc"}


def test_the_order_of_the_rooms_is_the_one_that_lint_enforces():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["tenfold.pipelines"])
    order = [room.strip() for layer in layers for room in layer.split("|")]
    drawn = [room for room in re.findall(r'^\s*(\w+)\["', DRAWING, re.MULTILINE) if room in order]
    places = [next(i for i, layer in enumerate(layers) if room in re.split(r"\W+", layer)) for room in drawn]
    assert places == sorted(places)
