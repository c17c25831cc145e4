"""Weak lensing: light cones, lens planes and convergence maps."""
