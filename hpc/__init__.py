"""Execution on many processors: ranks, sample order, checkpoints, Slurm. Independent of cosmology and chemistry."""
