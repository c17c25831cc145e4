"""Boxes in, shards out: what is read, checked, cut, packed and split."""
