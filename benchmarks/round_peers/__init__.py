"""Peers of the round benchmark, each in an environment of its own; nothing of ours imports them."""
