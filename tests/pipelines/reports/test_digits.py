"""Figures are written with the digits that their interval allows; each case can be checked by hand."""

import math

import numpy as np
import pytest

from tenfold.pipelines.reports.digits import (
    format_interval,
    format_number,
    format_value,
    format_with_interval,
    format_with_uncertainty,
)


@pytest.mark.parametrize(
    ("value", "spread", "written"),
    [
        (0.024512, 0.0021, "0.0245"),
        (-1.2345, 0.31, "−1.23"),
        (12.3, 4.0, "12.3"),
        (1234.5, 350.0, "1230"),
        (1_234_567.8, 52_000.0, "1,235,000"),
        (0.5, 30.0, "0"),
        (9.996, 0.0996, "10.00"),  # a half width of 0.10, once rounded
        (-0.00001, 0.02, "0.000"),  # no minus before a zero
        (0.0, 0.1, "0.00"),
        (3.2e-7, 1e-8, "3.20 × 10⁻⁷"),
        (-1.2e8, 3e6, "−1.200 × 10⁸"),
        (1.0, 1e-12, "1.0000000000000"),
        (1.0, 1e-30, "1.00000000000000"),  # no more digits than a double has
    ],
)
def test_digits_follow_from_two_significant_figures_of_the_half_width(value, spread, written):
    assert format_value(value, spread) == written


def test_four_significant_figures_without_an_interval():
    for spread in (0.0, None, math.nan, math.inf):
        assert format_value(1.0, spread) == "1.000"
        assert format_value(0.0, spread) == "0.000"
        assert format_value(-23.456, spread) == "−23.46"


def test_unknown_values_are_written_as_a_dash():
    assert (
        format_value(None, 1.0) == format_value(math.nan, 1.0) == format_number(None) == format_number(math.nan) == "–"
    )
    assert format_with_interval(None, None, None) == "– (– … –)"
    assert format_number(math.inf) == "∞"
    assert format_value(-math.inf, 1.0) == "−∞"


def test_an_r2_near_one_is_not_rounded_to_one():
    assert format_with_interval(0.9997, 0.99955, 0.99982) == "0.99970 (0.99955 … 0.99982)"
    assert format_with_interval(1.0, 1.0, 1.0) == "1.000 (1.000 … 1.000)"


def test_value_and_ends_of_an_interval_have_the_same_digits():
    assert format_interval(-12_345, -13_000, -11_000) == ("−12,300", "−13,000", "−11,000")
    assert format_interval(3.2e-7, 9.0e-8, 5.5e-7) == ("3.2 × 10⁻⁷", "0.9 × 10⁻⁷", "5.5 × 10⁻⁷")
    assert format_interval(0.3, -0.2, 0.8) == ("0.30", "−0.20", "0.80")


def test_a_value_and_its_standard_deviation_have_the_same_digits():
    assert format_with_uncertainty(-5.8973, 0.5234) == "−5.90 ± 0.52"
    assert format_with_uncertainty(1.2e8, 3e6) == "1.200 × 10⁸ ± 0.030 × 10⁸"
    assert format_with_uncertainty(np.float32(2.5), np.float32(0.25)) == "2.50 ± 0.25"
    assert format_with_uncertainty(None, None) == "– ± –"


@pytest.mark.parametrize(
    ("value", "written", "setting"),
    [
        (1234.5, "1230", "1234"),
        (0.05, "0.0500", "0.05"),
        (0.0001, "0.000100", "0.0001"),
        (1.234e8, "1.23 × 10⁸", "1.234 × 10⁸"),
        (5e-5, "5.00 × 10⁻⁵", "5 × 10⁻⁵"),
        (999.6, "1000", "999.6"),
        (0.0, "0", "0"),
        (12_345, "12,345", "12,345"),
        (np.int64(42_000), "42,000", "42,000"),
        (-0.25, "−0.250", "−0.25"),
    ],
)
def test_a_figure_without_an_interval_has_three_figures_and_a_setting_no_zeros(value, written, setting):
    assert format_number(value) == written
    assert format_number(value, 4, zeros=False) == setting
