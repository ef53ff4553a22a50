"""What a node and its worker say to each other: jobs, results, progress, frames, supervision.

torch never runs in the node. This room has what both sides share and the node's side of it, and
imports `fl.rules` and `primitives` only. `client.py` is where to start reading.
"""
