"""Spread messages to everyone who subscribed: gossipsub 1.0 to 1.2 as a sans-I/O machine.

`router.Router` takes events and returns effects; bytes for a peer wait in its outbox until the
shell takes them. Source: github.com/libp2p/specs, pubsub/gossipsub, versions 1.0, 1.1 and 1.2.
"""
