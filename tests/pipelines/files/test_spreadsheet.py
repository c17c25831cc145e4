import pytest

from tenfold.pipelines.files.spreadsheet import as_text


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", "=", "-", "\t5"])
def test_a_formula_is_kept_from_running(cell):
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "CCO", "[Na+].[Cl-]", "-1.5", "+3e-4", "-inf", "a=b", "µ", "'=1"])
def test_numbers_and_other_text_stay_as_they_are(cell):
    assert as_text(cell) == cell
