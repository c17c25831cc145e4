"""A network that reads parameters off volumes: trained, proven against the power spectrum, reported."""
