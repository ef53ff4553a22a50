"""Bytes between peers: transport, noise, yamux, gossip, discovery.

Not built yet. This room will know topics and protocol ids but no chain types, and only its
`host.py` and `transport.py` will hold sockets. It may import `primitives` and nothing else of ours.
"""
