"""What the chain must agree on about a training round: update format, aggregation, scores, phases.

A pure room on integers, numpy at most; it may import `primitives` and nothing else of ours.
`round.py` is where to start reading about the round, `update/blob.py` about what a trainer sends,
`aggregation/rule.py` about how updates become one.
"""
