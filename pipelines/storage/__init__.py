"""Storage that all shards share: output folders, manifests, packing, reading, rejected input and splits."""
