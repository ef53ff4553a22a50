"""Sync: serve what the chain agreed on to whoever missed it; follow it by certificates alone."""
