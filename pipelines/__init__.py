"""What a user runs: raw files to shards, training, validation and a report."""
