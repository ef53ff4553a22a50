"""The bytes of libp2p that every layer shares: varints, protobuf, peer ids, addresses, records."""
