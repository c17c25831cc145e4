"""Parameter estimation from fields: training, comparison with the power spectrum, and reports."""
