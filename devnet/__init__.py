"""Local networks: the virtual-time simulator, and nodes of one process on the real clock.

Byzantine actors live here and never in product code. The room may import everything below `cli`.
"""
