"""Boxes in, shards out: what is read, checked, divided, packed and split."""
