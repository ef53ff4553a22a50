"""Wrong rules, applied one at a time to a copy of the source, to see that the tests notice."""
