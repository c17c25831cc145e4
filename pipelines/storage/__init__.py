"""What all shards share: output folders, shard files and splits."""
