"""Properties from molecules: training, predictions, explanations and their report."""
