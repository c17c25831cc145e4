"""Weak-lensing convergence maps: theory, simulation by planes of our own boxes, and their shards."""
