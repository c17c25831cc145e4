"""Index page of several studies: the headline and the first figure of each report, linked."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.json_file import read_numbers
from tenfold.pipelines.reports.html import write_page
from tenfold.pipelines.storage.output_folder import OutputFolder

_FIGURE = re.compile(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]+")
_ENDLESS = {"img", "br", "meta", "link", "hr", "input", "col"}
"""Elements without an end tag."""


@dataclass(frozen=True, kw_only=True)
class ReportSummary:
    """Title, headline and first figure of a report."""

    title: str
    headline: tuple[str, ...]
    """Sentences, one a paragraph."""
    figure: str = ""
    """Data URI of the first figure; empty if there is none."""
    alt_text: str = ""


def write_index(folder: Path | str) -> Path:
    """Write ``index.html`` into a folder of studies, with a link to each report.

    Parameters
    ----------
    folder
        Folder whose subfolders contain a ``report.html`` each. Subfolders without one are left out.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        There is no report, or the folder has an ``index.html`` that tenfold did not make.
    """
    folder = Path(folder)
    reports = sorted(folder.glob("*/report.html"), key=lambda report: report.stat().st_mtime)
    if not reports:
        raise InputError(f"{folder}: none of its folders contains a report.html; finish a study first")
    OutputFolder.claim(folder, ("index.html",))
    write_page(
        folder / "index.html",
        "index.html.j2",
        filters={},
        name=folder.name,
        studies=[
            {
                "link": f"{quote(report.parent.name)}/report.html",
                "name": report.parent.name,
                "summary": summarise(report),
                "minutes": sum(read_numbers(report.with_name("stages.json")).values()) / 60,
            }
            for report in reports
        ],
    )
    return folder / "index.html"


def summarise(report: Path) -> ReportSummary:
    """Read title, headline and first figure of a report.

    Parameters
    ----------
    report
        A page written by `tenfold.pipelines.reports.html.write_page`.
    """
    parser = _Parser()
    parser.feed(report.read_text(encoding="utf-8", errors="replace"))
    return ReportSummary(
        title=" ".join("".join(parser.title).split()) or report.parent.name,
        headline=tuple(text for block in parser.headline if (text := " ".join("".join(block).split()))),
        figure=parser.figure, alt_text=parser.alt_text,
    )  # fmt: skip


@dataclass
class _Parser(HTMLParser):
    """Reader of the parts of a page that its index shows."""

    title: list[str] = field(default_factory=list)
    headline: list[list[str]] = field(default_factory=list)
    figure: str = ""
    alt_text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.in_title = False
        self.depth = 0  # of elements within the headline

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.in_title = tag == "h1"
        if self.depth or values.get("class") == "headline":
            self.depth += tag not in _ENDLESS
            if tag in ("p", "li", "div"):
                self.headline.append([])
        if tag == "img" and not self.figure and _FIGURE.fullmatch(values.get("src") or ""):
            self.figure, self.alt_text = values["src"] or "", values.get("alt") or ""

    def handle_endtag(self, tag: str) -> None:
        self.in_title = self.in_title and tag != "h1"
        self.depth -= self.depth > 0

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title.append(data)
        elif self.depth and self.headline:
            self.headline[-1].append(data)
