"""Deterministic discrete-event simulation: the same seed gives the same trace on every machine."""
