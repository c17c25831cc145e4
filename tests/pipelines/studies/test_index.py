"""Index page of several studies."""

import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.index import summarise, write_index

PAGE = """<!doctype html><html><head><title>not this</title></head><body><h1>Boxes &amp; networks</h1>
<div class="headline"><p>Ω<sub>m</sub> is better by 2.</p><ul><li>One problem.</li></ul></div><p>not this</p>
<img src="https://elsewhere/x.png" alt="not this"><img src="data:image/png;base64,AAAA" alt="ratio"></body></html>"""


def study(folder, page=PAGE):
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder


def test_summary_of_a_report_one_can_check_by_hand(tmp_path):
    summary = summarise(study(tmp_path / "one") / "report.html")
    assert summary.title == "Boxes & networks"
    assert summary.headline == ("Ωm is better by 2.", "One problem.")
    assert (summary.figure, summary.alt_text) == ("data:image/png;base64,AAAA", "ratio")


def test_the_index_links_every_report_with_its_wall_time(tmp_path):
    study(tmp_path / "first")
    (study(tmp_path / "a b&c") / "stages.json").write_text('{"train": 90.0, "validate": 30.0}')
    (tmp_path / "unfinished").mkdir()
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert page.count("<section") == 2
    assert 'href="first/report.html"' in page and 'href="a%20b%26c/report.html"' in page
    assert "2.0 minutes" in page and "unfinished" not in page
    assert write_index(tmp_path).read_text(encoding="utf-8") == page


def test_text_of_a_report_stays_text(tmp_path):
    study(tmp_path / "x", PAGE.replace("One problem.", "&lt;script&gt;alert(1)&lt;/script&gt;"))
    assert "<script" not in write_index(tmp_path).read_text(encoding="utf-8")


def test_a_folder_without_reports_and_an_index_of_someone_else_are_refused(tmp_path):
    with pytest.raises(InputError, match="none of its folders contains a report"):
        write_index(tmp_path)
    study(tmp_path / "one")
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(InputError, match="index"):
        write_index(tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
