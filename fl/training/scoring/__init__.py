"""Score the updates of a round: all of them in one pass over the validator's examples.

`scores.py` is where to start reading. The floating-point losses computed here are votes: they leave
this room as integers in 100 micro-nats, and nothing that the chain agrees on depends on their last
digits.
"""
