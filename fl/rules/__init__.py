"""What the chain must agree on about a training round: update format, aggregation, scores, phases.

Not built yet. A pure room on integers, numpy at most; it may import `primitives` and nothing else
of ours.
"""
