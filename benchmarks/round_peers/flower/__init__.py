"""Rounds of Flower."""
