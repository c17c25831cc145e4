"""Molecules in, graphs in shards, a trained network of them, its predictions and its proof."""
