"""Verdicts on generated fields, whoever made them."""
