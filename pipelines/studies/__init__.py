"""Whole studies as lists of stages, each from one configuration."""

STUDIES = ("cosmology", "massmaps", "chemistry")
"""Names of the studies."""
