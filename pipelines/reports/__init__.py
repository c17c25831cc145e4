"""Pages, figures and the digits in them."""
