"""The protocol-agnostic kernel of the simulator: time, network, disk, machines and faults.

It knows nothing of consensus, so that any sans-I/O protocol can run on it. Times are integer
microseconds. Nothing here reads a real clock, global randomness or the order of a set.
"""
