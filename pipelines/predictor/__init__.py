"""Prediction of molecular properties: training, predictions, explanations and reports."""
