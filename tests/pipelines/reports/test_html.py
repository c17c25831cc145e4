"""Names from a user's data are shown as text in every element, attribute and figure of a page."""

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib.figure import Figure
from tests.pipelines.reports.pages import HOSTILE, Elements, check_image

from tenfold.pipelines.estimator import report as cosmology
from tenfold.pipelines.estimator.figures import ratios, symbol
from tenfold.pipelines.predictor import figures as molecules
from tenfold.pipelines.reports.figures import SYMBOL, EmbeddedFigure, png, short, svg
from tenfold.pipelines.reports.html import TEMPLATES, write_page


def explained(path, name: str) -> Elements:
    figure = EmbeddedFigure("data:,", name)
    panel = {"caption": name, "gradients": figure, "masking": figure, "problem": "", "error": "0.1"}
    write_page(path, "explained.html.j2", {}, bundle=name, classification=False,
               molecules=[{"smiles": name, "panels": [panel], "problem": name}])  # fmt: skip
    return Elements(path.read_text())


@pytest.mark.parametrize("name", HOSTILE)
def test_names_on_a_page_are_text(name, tmp_path):
    expected, page = explained(tmp_path / "a.html", "name"), explained(tmp_path / "b.html", name)
    assert (page.tags, page.attributes) == (expected.tags, expected.attributes)
    assert page.alt_texts == [name] * len(expected.alt_texts)
    assert name in page.text


def test_a_name_that_is_not_in_utf_8_is_written_with_escapes(tmp_path):
    assert r"a\udcff" in explained(tmp_path / "a.html", "a\udcff").text


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.j2")))
def test_templates_escape_all_text(template):
    text = (TEMPLATES / template).read_text()
    for way in (
        "|safe",
        "| safe",
        "autoescape",
        "Markup",
        "<script",
        "href={{",
        "src={{",
        "alt={{",
        "=\"{{ it.alt_text }}'",
    ):
        assert way not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_sentences_with_names_of_parameters_are_escaped(name):
    ratio = {"value": 2.0, "low": 1.5, "high": 2.5}
    metrics = {
        "simulations": {
            "rmse_ratio_power_spectrum": {name: ratio, "omega_m": ratio},
            "rmse_ratio_training_mean": {name: ratio, "omega_m": ratio},
        }
    }
    for sentence in (cosmology.headline(metrics), *cosmology.verdicts(metrics), cosmology.symbol(name)):
        assert isinstance(sentence, Markup)
        assert set(Elements(str(sentence)).tags) <= {"sub"}


def drawn(text: str) -> Figure:
    figure = Figure((2, 2))
    axes = figure.subplots()
    axes.plot([1, 1e5], [1, 1e5], label=text)
    axes.set(xscale="log", title=text, xlabel=text)
    axes.set_yticks([1.0, 1e5], [text, "b"])
    axes.legend()
    return figure


@pytest.mark.parametrize("name", [*HOSTILE, "not in UTF-8: \udcff"])
def test_names_in_figures_are_neither_typeset_nor_markup(name):
    check_image(svg(drawn(name), name).source)
    assert png(drawn(name), name).alt_text == name


def test_long_names_are_shortened_in_figures():
    assert short("of two\n lines", 13) == "of two lines"
    assert short("n" * 14, 13) == f"{'n' * 12}…"
    ratio = {"value": 2.0, "low": 1.5, "high": 2.5}
    check_image(ratios([("n" * 1000, "simulations", ratio)]).source)


@pytest.mark.parametrize("name", SYMBOL)
def test_symbols_of_parameters_are_typeset(name):
    figure = drawn(symbol(name))
    svg(figure, "")
    assert all(text.get_parse_math() for text in figure.findobj(lambda artist: hasattr(artist, "get_parse_math")))


@pytest.mark.parametrize("name", HOSTILE)
def test_figures_of_molecules_take_any_name(name):
    truth = np.linspace(0, 1, 5)
    assert molecules.parity(name, name, truth, truth, truth + 0.1, name).source.startswith("data:image/svg+xml;base64,")
