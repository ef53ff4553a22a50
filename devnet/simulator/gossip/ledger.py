"""What the oracle sees: every message, where it arrived, how far it had come, what it cost."""

from typing import Final

from p2p.gossip.policy import TOPIC20_SIZE_BYTES

INVALID: Final = 0xFF
"""The first byte of a payload that every validator rejects."""

assert TOPIC20_SIZE_BYTES == 20, "message ids of the simulation are content ids"


class Ledger:
    """The history of one run.

    Attributes:
        published: message id -> when, in us.
        hops: message id -> node -> how many links its first copy crossed.
        delays_us: of each delivery.
        honest_disconnects: honest nodes that another honest node graylisted, as pairs.
        attacker_disconnects: how often an honest node graylisted an attacker.
        sent_bytes: by honest nodes, framing included.
    """

    def __init__(self) -> None:
        self.published: dict[bytes, int] = {}
        self.hops: dict[bytes, dict[int, int]] = {}
        self.delays_us: list[int] = []
        self.honest_disconnects: list[tuple[int, int]] = []
        self.attacker_disconnects = 0
        self.invalid_delivered = 0
        self.sent_bytes = 0
        self.sent_rpcs = 0

    def note_published(self, node: int, message_id: bytes, *, now_us: int) -> None:
        """Learn that an honest node published."""
        self.published[message_id] = now_us
        self.hops[message_id] = {node: 0}

    def note_delivered(
        self, node: int, message_id: bytes, *, payload: bytes, sender: int, now_us: int
    ) -> None:
        """Learn that an honest node got a message from a peer."""
        hops = self.hops.get(message_id)
        if hops is None or payload[0] == INVALID:
            self.invalid_delivered += 1
            return
        hops[node] = hops.get(sender, 0) + 1
        self.delays_us.append(now_us - self.published[message_id])

    def note_sent(self, size_bytes: int) -> None:
        """Learn that an honest node put bytes on a wire."""
        self.sent_bytes += size_bytes
        self.sent_rpcs += 1

    def missed(self, honest: tuple[int, ...]) -> list[tuple[bytes, int]]:
        """Return which message did not reach which honest node."""
        return [
            (message_id, node)
            for message_id, hops in self.hops.items()
            for node in honest
            if node not in hops
        ]
