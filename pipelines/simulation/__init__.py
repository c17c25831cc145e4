"""N-body simulations of dark matter, from linear theory to particle counts in a box, and lensing maps made of them."""
