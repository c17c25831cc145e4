"""Names that try to be more than text, and the elements of a page, to see that they are not."""

import base64
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from tenfold.pipelines.volumes.manifest import Manifest

HOSTILE = (
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "' onerror='alert(1)",
    "]]><svg onload=alert(1)>",
    "</style><img src=x onerror=alert(1)>",
    "--><b>",
    "{{ 7*7 }}{% raise %}",
    "&lt;b&gt; &amp;",
    r"$\frac$",
    "$x$ $",
    "a\x1b[31m\x00b",
)
USUAL = tuple(f"name {sorted(HOSTILE).index(name):02d}" for name in HOSTILE)
"""As many, in the same alphabetical order: what is drawn by chance, name by name, is drawn alike."""


class Elements(HTMLParser):
    """Tags of a page, names of their attributes, its text and its pictures."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, ...]] = []
        self.text = ""
        self.words: list[str] = []
        self.pictures: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(tuple(name for name, _ in attrs))
        self.words += [value for name, value in attrs if name == "alt"]
        self.pictures += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.text += data


def check_picture(source: str) -> None:
    """Check that a picture of a page can be read, and runs nothing."""
    kind, _, content = source.partition(";base64,")
    assert kind in ("data:image/svg+xml", "data:image/png")
    if kind == "data:image/svg+xml":
        for element in ElementTree.fromstring(base64.b64decode(content)).iter():
            assert not element.tag.endswith("script")
            assert not any(attribute.startswith("on") for attribute in element.attrib)


def check_page(
    render: Callable[[tuple[str, ...]], Path], *also: str, hostile: tuple[str, ...] = HOSTILE
) -> None:  # fmt: skip
    """Check that a page shows names as text, and that else it has the elements of the page with usual names.

    Parameters
    ----------
    render
        Writes the page with usual or hostile names.
    also
        What else must be read on the latter.
    hostile
        As many names as `USUAL`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda *_, **__: None)  # only its elements are compared
        expected = Elements(render(USUAL).read_text())
    found = Elements(render(hostile).read_text())
    assert found.tags == expected.tags
    assert found.attributes == expected.attributes
    assert "script" not in found.tags
    assert not [name for each in found.attributes for name in each if name.startswith("on")]
    assert [name for name in (*hostile, *also) if name not in found.text] == []
    assert len(found.words) == len(found.pictures) > 0
    for source in found.pictures:
        check_picture(source)


def name_fields(data: Path, names: tuple[str, ...]) -> Manifest:
    """Rename the parameters of shards of fields, each as often as there are names, and their simulations.

    Those of the test split have all the names, if there are enough of them.
    """
    manifest = Manifest.read(data / "manifest.json")
    old = manifest.parameter_names
    columns = [n % len(old) for n in range(len(names))]
    tests = sorted(range(len(manifest.simulations)), key=lambda n: manifest.simulations[n].split != "test")
    simulations = [
        replace(
            each, simulation=f"{names[tests.index(n) % len(names)]} {n:05d}",
            parameters={name: each.parameters[old[column]] for name, column in zip(names, columns, strict=True)},
        )
        for n, each in enumerate(manifest.simulations)
    ]  # fmt: skip
    statistics = tuple(manifest.parameters[column] for column in columns)
    renamed = replace(manifest, parameter_names=names, parameters=statistics, simulations=tuple(simulations))
    renamed.write(data / "manifest.json")
    return renamed
