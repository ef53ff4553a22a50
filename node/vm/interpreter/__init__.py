"""The reference engine: an explicit stack, one instruction at a time, as SPEC.md says it.

Slow and plain on purpose: where the two engines differ, this one is right until shown otherwise.
"""
