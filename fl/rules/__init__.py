"""What the chain must agree on about a training round: update format, aggregation, scores, phases.

A pure room on integers, numpy at most; it may import `primitives` and nothing else of ours. Built
so far is the round (`round.py` is where to start reading); update formats and the aggregation of
tensors are not.
"""
