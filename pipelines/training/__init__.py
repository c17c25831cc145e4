"""Training runs of all networks: folder, loop, bundle."""
