"""Molecules enumerated, and what quantum chemistry says of them."""
