"""How accepted updates become one: robust rules on int32 columns, and the outer optimiser.

`rule.py` is where to start. Nothing here is a real number: sums of integers do not depend on the
order of arrival, on threads or on chunk sizes, so every node finds the same bytes.
"""
