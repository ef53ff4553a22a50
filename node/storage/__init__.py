"""LMDB: environments, typed tables, and the stores that implement the ports of other rooms."""
