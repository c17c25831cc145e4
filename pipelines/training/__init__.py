"""One training run for all networks: its folder, its loop, and what is kept of it."""
