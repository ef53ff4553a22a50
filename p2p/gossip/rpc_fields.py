"""Write the parts of an RPC; their bytes one after the other are an RPC.

Fields of the RPC itself are subscriptions, messages and one control field, which holds the entries.
"""

from collections.abc import Iterable

from p2p.gossip.rpc import Prune
from p2p.wire.protobuf import bytes_field, number_field
from p2p.wire.varint import encode_varint


def subscription_field(topic: bytes, *, is_subscribed: bool) -> bytes:
    """Return a field of an RPC: we subscribed to a topic, or left it."""
    return bytes_field(1, number_field(1, int(is_subscribed)) + bytes_field(2, topic))


def control_field(fields: Iterable[bytes]) -> bytes:
    """Return the one field of an RPC that holds the control entries made below."""
    return bytes_field(3, b"".join(fields))


def ihave_field(topic: bytes, message_ids: Iterable[bytes]) -> bytes:
    """Return a control entry: we have these messages of a topic."""
    return bytes_field(1, bytes_field(1, topic) + _id_fields(2, message_ids))


def iwant_field(message_ids: Iterable[bytes]) -> bytes:
    """Return a control entry: send us these messages."""
    return bytes_field(2, _id_fields(1, message_ids))


def graft_field(topic: bytes) -> bytes:
    """Return a control entry: you are in our mesh."""
    return bytes_field(3, bytes_field(1, topic))


def prune_field(prune: Prune) -> bytes:
    """Return a control entry: you are no longer in our mesh."""
    peers = (
        bytes_field(1, peer_id) + (bytes_field(2, envelope) if envelope else b"")
        for peer_id, envelope in prune.peers
    )
    body = bytes_field(1, prune.topic) + b"".join(bytes_field(2, peer) for peer in peers)
    if prune.backoff_s is not None:
        body += number_field(3, prune.backoff_s)
    return bytes_field(4, body)


def idontwant_field(message_ids: Iterable[bytes]) -> bytes:
    """Return a control entry: we have these messages, do not send them."""
    return bytes_field(5, _id_fields(1, message_ids))


def _id_fields(field: int, message_ids: Iterable[bytes]) -> bytes:
    tag = bytes((field << 3 | 2,))
    return b"".join(tag + encode_varint(len(message_id)) + message_id for message_id in message_ids)


def publish_field(message: bytes) -> bytes:
    """Return a field of an RPC: an encoded message."""
    return bytes_field(2, message)
