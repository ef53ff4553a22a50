"""Bytes between peers: transport, noise, yamux, gossip, discovery.

The room knows topics and protocol ids but no chain types. `wire`, `noise`, `yamux` and `gossip` are
sans-I/O: bytes or messages in, bytes or effects out. Sockets live in `transport.py` and `host.py`.
"""
