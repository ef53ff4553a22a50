"""A devnet of whole nodes in one process: real time, real bytes and signatures, one event loop.

It is honest about consensus and about nothing below it: messages cross queues in memory, not
sockets, and all nodes share one CPU core. Nodes as processes of their own come with the node.
"""
