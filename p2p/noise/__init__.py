"""Prove who a peer is and encrypt what is said: Noise XX as libp2p uses it."""
