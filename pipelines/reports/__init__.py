"""HTML reports: templates, figures and number formatting."""
