"""Blobs: kept by content id, served and fetched chunk by chunk, each chunk checked on arrival."""
