"""Hostile names that contain markup, and a parser of pages to check that they are shown as text."""

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
ORDINARY = tuple(f"name {sorted(HOSTILE).index(name):02d}" for name in HOSTILE)
"""The same number of ordinary names, in the same alphabetical order: random draws by name are therefore
the same."""


class Elements(HTMLParser):
    """Tags of a page, names of their attributes, its text, and the alternative texts and sources of its images."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, ...]] = []
        self.text = ""
        self.alt_texts: list[str] = []
        self.image_sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(tuple(name for name, _ in attrs))
        self.alt_texts += [value for name, value in attrs if name == "alt"]
        self.image_sources += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.text += data


def check_image(source: str) -> None:
    """Check that an image of a page can be read and runs no script."""
    kind, _, content = source.partition(";base64,")
    assert kind in ("data:image/svg+xml", "data:image/png")
    if kind == "data:image/svg+xml":
        for element in ElementTree.fromstring(base64.b64decode(content)).iter():
            assert not element.tag.endswith("script")
            assert not any(attribute.startswith("on") for attribute in element.attrib)


def check_page(
    render: Callable[[tuple[str, ...]], Path], *also: str, hostile: tuple[str, ...] = HOSTILE
) -> None:  # fmt: skip
    """Check that a page shows hostile names as text and otherwise has the elements of a page with ordinary names.

    Parameters
    ----------
    render
        Writes the page with ordinary or hostile names.
    also
        Further text that the page with hostile names must show.
    hostile
        Hostile names, as many as `ORDINARY`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda *_, **__: None)  # only the elements are compared
        expected = Elements(render(ORDINARY).read_text())
    page = Elements(render(hostile).read_text())
    assert page.tags == expected.tags
    assert page.attributes == expected.attributes
    assert "script" not in page.tags
    assert not [name for attributes in page.attributes for name in attributes if name.startswith("on")]
    assert [name for name in (*hostile, *also) if name not in page.text] == []
    assert len(page.alt_texts) == len(page.image_sources) > 0
    for source in page.image_sources:
        check_image(source)


def name_fields(data: Path, names: tuple[str, ...]) -> Manifest:
    """Rename the parameters and simulations of shards of fields; parameters are repeated to match the names.

    The simulations of the test split have all the names, if there are enough simulations.
    """
    manifest = Manifest.read(data / "manifest.json")
    old = manifest.parameter_names
    columns = [n % len(old) for n in range(len(names))]
    tests = sorted(range(len(manifest.simulations)), key=lambda n: manifest.simulations[n].split != "test")
    simulations = [
        replace(
            entry, simulation=f"{names[tests.index(n) % len(names)]} {n:05d}",
            parameters={name: entry.parameters[old[column]] for name, column in zip(names, columns, strict=True)},
        )
        for n, entry in enumerate(manifest.simulations)
    ]  # fmt: skip
    statistics = tuple(manifest.parameters[column] for column in columns)
    renamed = replace(manifest, parameter_names=names, parameters=statistics, simulations=tuple(simulations))
    renamed.write(data / "manifest.json")
    return renamed
