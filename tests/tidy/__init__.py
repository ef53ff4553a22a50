"""Checks of the code's shape that ruff cannot make; tests/test_tidy.py runs them over the tree."""
