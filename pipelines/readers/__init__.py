"""Readers, one module per file format. Each yields its records lazily and refuses unsafe or inconsistent files."""
