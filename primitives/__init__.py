"""What every room stands on: ids, hashing, keys, codec, content ids, proofs, integer statistics.

The invariant of this package: no input or output, no clock, no dice, no float, and no order that
differs between two machines. It re-exports nothing; import the module that names the concept.
"""
