"""Adapters, examples, local training and scoring; torch lives here and above only.

Everything is deterministic given a seed. What the chain must agree on is not computed here but in
`fl.rules`, on integers.
"""
