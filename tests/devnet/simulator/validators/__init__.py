"""Whole networks of validators under virtual time."""
