"""Networks, losses and the training loop. Inputs are arrays, never paths, MPI ranks or clusters."""
