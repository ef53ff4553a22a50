"""What the parts of a router share: peers, topics, scores, messages, and the effects so far."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from p2p.dice import Dice
from p2p.gossip.message_cache import MessageCache
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.score import ScoreBook
from p2p.gossip.seen import SeenIds
from p2p.wire.peer_id import PeerId

if TYPE_CHECKING:
    from p2p.gossip.events import Effect
    from p2p.gossip.peer import Peer
    from p2p.gossip.topic import Topic


class RouterState:
    """The state of one router; its parts get this object and nothing else does.

    Attributes:
        peers: all that joined and did not leave.
        direct: those of them that were configured.
        effects: of the event that is being handled; the router empties the list.
        tick: heartbeats so far.
    """

    __slots__ = (
        "cache",
        "dice",
        "direct",
        "direct_ids",
        "effects",
        "parameters",
        "peers",
        "scores",
        "seen",
        "tick",
        "topics",
        "topics_by_raw",
    )

    def __init__(
        self, parameters: GossipParameters, *, dice: Dice, direct: Iterable[PeerId]
    ) -> None:
        self.parameters = parameters
        self.dice = dice
        self.direct_ids = dict.fromkeys(direct)
        self.peers: dict[PeerId, Peer] = {}
        self.direct: dict[PeerId, Peer] = {}
        self.topics: dict[str, Topic] = {}
        self.topics_by_raw: dict[bytes, Topic] = {}
        self.effects: list[Effect] = []
        self.tick = 0
        self.scores = ScoreBook(parameters.score)
        self.seen = SeenIds(seen_ms=parameters.seen_ms, ids_max=parameters.seen_ids_max)
        self.cache = MessageCache(
            history_windows=parameters.history_windows,
            gossip_windows=parameters.gossip_windows,
            bytes_max=parameters.cache_bytes_max,
        )
