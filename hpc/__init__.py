"""Where it runs: ranks, order, checkpoints, Slurm; knows nothing of cosmology or chemistry."""
