"""The explorer: one page that every node serves, made of files that nobody builds.

Guards: it is nothing but files in `static`, read once; it has no right that another client of the
API would not have, and the browser is told to fetch from this node alone and to run nothing else.
"""
