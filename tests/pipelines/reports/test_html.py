"""Pages show other people's names as text, in every element, attribute and picture."""

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib.figure import Figure
from tests.pipelines.reports.pages import HOSTILE, Elements, check_picture

from tenfold.pipelines.estimator import report as cosmology
from tenfold.pipelines.estimator.figures import ratios, symbol
from tenfold.pipelines.predictor import figures as molecules
from tenfold.pipelines.reports.figures import SYMBOL, Picture, png, short, svg
from tenfold.pipelines.reports.html import TEMPLATES, write_page


def explained(path, name: str) -> Elements:
    panel = {"caption": name, "gradients": Picture("data:,", name), "masking": Picture("data:,", name), "problem": "",
             "error": "0.1"}  # fmt: skip
    write_page(path, "explained.html.j2", {}, bundle=name, classification=False,
               molecules=[{"smiles": name, "panels": [panel], "problem": name}])  # fmt: skip
    return Elements(path.read_text())


@pytest.mark.parametrize("name", HOSTILE)
def test_names_on_a_page_are_text(name, tmp_path):
    usual, found = explained(tmp_path / "a.html", "name"), explained(tmp_path / "b.html", name)
    assert (found.tags, found.attributes) == (usual.tags, usual.attributes)
    assert found.words == [name] * len(usual.words)
    assert name in found.text


def test_a_name_that_is_not_in_utf_8_is_written_out(tmp_path):
    assert r"a\udcff" in explained(tmp_path / "a.html", "a\udcff").text


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.j2")))
def test_no_template_lets_text_through_unescaped(template):
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
        "=\"{{ it.words }}'",
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
    for said in (cosmology.headline(metrics), *cosmology.verdicts(metrics), cosmology.symbol(name)):
        assert isinstance(said, Markup)
        assert set(Elements(str(said)).tags) <= {"sub"}


def drawn(text: str) -> Figure:
    figure = Figure((2, 2))
    axes = figure.subplots()
    axes.plot([1, 1e5], [1, 1e5], label=text)
    axes.set(xscale="log", title=text, xlabel=text)
    axes.set_yticks([1.0, 1e5], [text, "b"])
    axes.legend()
    return figure


@pytest.mark.parametrize("name", [*HOSTILE, "not in UTF-8: \udcff"])
def test_names_in_pictures_are_neither_typeset_nor_markup(name):
    check_picture(svg(drawn(name), name).source)
    assert png(drawn(name), name).words == name


def test_a_name_leaves_room_for_what_a_figure_shows():
    assert short("of two\n lines", 13) == "of two lines"
    assert short("n" * 14, 13) == f"{'n' * 12}…"
    ratio = {"value": 2.0, "low": 1.5, "high": 2.5}
    check_picture(ratios([("n" * 1000, "Gaussian twins", ratio)]).source)


@pytest.mark.parametrize("name", SYMBOL)
def test_symbols_of_parameters_are_typeset(name):
    figure = drawn(symbol(name))
    svg(figure, "")
    assert all(text.get_parse_math() for text in figure.findobj(lambda each: hasattr(each, "get_parse_math")))


@pytest.mark.parametrize("name", HOSTILE)
def test_figures_of_molecules_take_any_name(name):
    truth = np.linspace(0, 1, 5)
    assert molecules.parity(name, name, truth, truth, truth + 0.1, name).source.startswith("data:image/svg+xml;base64,")
