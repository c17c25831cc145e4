"""Safe reading and writing of small files."""
