"""Rounds of NVFlare."""
