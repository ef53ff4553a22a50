"""gossipsub of py-libp2p, set so that it takes part at the pace of the others."""

import argparse
import hashlib

from libp2p.abc import IHost
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub, get_peer_and_seqno_msg_id


def make_pubsub(host: IHost, flags: argparse.Namespace) -> tuple[Pubsub, GossipSub]:
    """Build the router; by default it beats every 120 s and takes 10 messages a second."""
    router = GossipSub(
        protocols=[f"/meshsub/{version}.0" for version in flags.versions.split(",")],
        degree=6,
        degree_low=5,
        degree_high=12,
        heartbeat_interval=1,
        adaptive_gossip_enabled=False,
        spam_protection_enabled=False,
        eclipse_protection_enabled=False,
    )
    pubsub = Pubsub(
        host,
        router,
        strict_signing=flags.policy == "StrictSign",
        msg_id_constructor=MESSAGE_ID[flags.msgid],
    )
    return pubsub, router


def _by_content(message: rpc_pb2.Message) -> bytes:
    return hashlib.sha256(message.data).digest()


def _by_topic_and_content(message: rpc_pb2.Message) -> bytes:
    topic = message.topicIDs[0].encode()
    raw = len(topic).to_bytes(8, "little") + topic + message.data
    return hashlib.sha256(raw).digest()[:20]


MESSAGE_ID = {
    "spec": get_peer_and_seqno_msg_id,
    "sha256": _by_content,
    "topic20": _by_topic_and_content,
}
