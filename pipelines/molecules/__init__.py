"""Ingest of molecules: from tables and structures to molecular graphs in shards."""
