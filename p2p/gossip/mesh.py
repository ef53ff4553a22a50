"""Keep the mesh of each topic at its degree: GRAFT, PRUNE, backoff, and the heartbeat's repairs.

The mesh is symmetric as far as both sides agree: who is pruned holds off for the backoff, and who
comes back earlier is punished (P7). Source: gossipsub-v1.0 and v1.1, "Mesh Maintenance", "Prune
Backoff and Peer Exchange", "Outbound Mesh Quotas", "Opportunistic Grafting".
"""

import enum
from statistics import median
from typing import Final

from p2p.gossip.events import DialPeer
from p2p.gossip.peer import Peer
from p2p.gossip.rpc import Prune
from p2p.gossip.state import RouterState
from p2p.gossip.topic import Topic
from p2p.wire.peer_id import PeerId
from p2p.wire.records import PeerRecord
from primitives.errors import HanseError

PX_SIZE_BYTES_MAX: Final = 16 * 1024
"""Signed records in one PRUNE; together with all others it has to fit an RPC."""


class PruneKind(enum.Enum):
    """Why a peer leaves our mesh, which decides whether we name others to it."""

    SURPLUS = enum.auto()
    UNWELCOME = enum.auto()
    UNSUBSCRIBED = enum.auto()


class Mesh:
    """The meshes of all topics."""

    def __init__(self, state: RouterState) -> None:
        self._peers = state.peers
        self._scores = state.scores
        self._effects = state.effects
        self._parameters = state.parameters
        self._dice = state.dice
        self._state = state

    def join(self, topic: Topic, *, now_ms: int) -> None:
        """Build a mesh for a topic we subscribed to, first of the peers we published to."""
        fanout = [
            peer
            for peer in topic.fanout.values()
            if peer.stats.score >= 0 and self._is_eligible(peer, topic, now_ms)
        ]
        topic.fanout = {}
        for peer in fanout[: self._parameters.degree]:
            self._graft(peer, topic, now_ms)
        self._fill(topic, now_ms)

    def leave(self, topic: Topic, *, now_ms: int) -> None:
        """Take everybody out of the mesh of a topic we left."""
        for peer in list(topic.mesh.values()):
            self._prune(peer, topic, PruneKind.UNSUBSCRIBED, now_ms)

    def subscribed(self, peer: Peer, topic: Topic, *, now_ms: int) -> None:
        """Graft a peer that subscribed if the mesh is short: it would miss messages until then."""
        is_short = len(topic.mesh) < self._parameters.degree
        if topic.is_subscribed and is_short and self._is_eligible(peer, topic, now_ms):
            self._graft(peer, topic, now_ms)

    def remove(self, peer: Peer, topic: Topic) -> None:
        """Learn that a peer left the topic or the network; nobody is told."""
        if topic.mesh.pop(peer.peer_id, None) is not None:
            self._scores.pruned(peer.stats, topic.name)
        topic.fanout.pop(peer.peer_id, None)

    def repeat(self, peer: Peer, topic: Topic, *, now_ms: int) -> None:
        """Tell a peer that comes, perhaps again, whether it is in our mesh or held off."""
        if peer.peer_id in topic.mesh:
            peer.outbox.graft(topic.raw)
            return
        left_ms = topic.backoff.until_ms(peer.peer_id) - now_ms
        if left_ms > 0:
            # Else it would come back too early and be punished for what it could not know.
            backoff_s = -(-left_ms // 1000) if peer.knows_backoff else None
            peer.outbox.prune(Prune(topic.raw, (), backoff_s))

    def on_graft(self, peer: Peer, topic: Topic, *, now_ms: int) -> None:
        """Take a peer into the mesh that took us into its own, or prune it."""
        if not topic.is_subscribed or peer.peer_id in topic.mesh:
            # No answer for a topic we are not in, or anybody could have us send PRUNEs.
            return
        parameters = self._parameters
        until_ms = topic.backoff.until_ms(peer.peer_id)
        if peer.is_direct:
            self._prune(peer, topic, PruneKind.UNWELCOME, now_ms)
        elif now_ms < until_ms:
            flood_until_ms = until_ms - parameters.prune_backoff_ms + parameters.graft_flood_ms
            self._scores.misbehaved(peer.stats, 2 if now_ms < flood_until_ms else 1)
            self._prune(peer, topic, PruneKind.UNWELCOME, now_ms)
        elif peer.stats.score < 0:
            self._prune(peer, topic, PruneKind.UNWELCOME, now_ms)
        elif len(topic.mesh) >= parameters.degree_high and not peer.is_outbound:
            self._prune(peer, topic, PruneKind.SURPLUS, now_ms)
        else:
            topic.mesh[peer.peer_id] = peer
            self._scores.grafted(peer.stats, topic.name, now_ms=now_ms)

    def on_prune(self, peer: Peer, topic: Topic, prune: Prune, *, now_ms: int) -> None:
        """Leave a peer alone for as long as it asks, and meet those it names if we trust it."""
        parameters = self._parameters
        if topic.mesh.pop(peer.peer_id, None) is not None:
            self._scores.pruned(peer.stats, topic.name)
        backoff_ms = parameters.prune_backoff_ms
        if prune.backoff_s:
            backoff_ms = min(prune.backoff_s * 1000, parameters.backoff_ms_max)
        topic.backoff.add(peer.peer_id, until_ms=now_ms + backoff_ms)
        if prune.peers and peer.stats.score >= parameters.score.px_threshold:
            self._meet(prune.peers)

    def heartbeat(self, topic: Topic, *, now_ms: int) -> None:
        """Repair the mesh of a topic we are subscribed to."""
        parameters = self._parameters
        tick = self._state.tick
        mesh = topic.mesh
        for peer in [peer for peer in mesh.values() if peer.stats.score < 0]:
            self._prune(peer, topic, PruneKind.UNWELCOME, now_ms)
        if len(mesh) < parameters.degree_low:
            self._fill(topic, now_ms)
        if len(mesh) > parameters.degree_high:
            self._shrink(topic, now_ms)
        if len(mesh) >= parameters.degree_low:
            self._graft_outbound(topic, now_ms)
        if tick % parameters.opportunistic_ticks == 0 and len(mesh) > 1:
            self._graft_better(topic, now_ms)
        if tick % parameters.backoff_clear_ticks == 0:
            # One heartbeat of slack: to come back too early costs us, not the other side.
            topic.backoff.clear_past(now_ms - parameters.heartbeat_ms)

    def choose(self, topic: Topic, count: int, *, score_min: float) -> list[Peer]:
        """Return so many subscribers at random that are neither direct nor badly scored."""
        chosen = [
            peer
            for peer in topic.subscribers.values()
            if not peer.is_direct and peer.stats.score >= score_min
        ]
        self._dice.shuffle(chosen)
        return chosen[:count]

    def _fill(self, topic: Topic, now_ms: int) -> None:
        wanted = self._parameters.degree - len(topic.mesh)
        if wanted > 0:
            for peer in self._candidates(topic, now_ms)[:wanted]:
                self._graft(peer, topic, now_ms)

    def _shrink(self, topic: Topic, now_ms: int) -> None:
        """Keep the best by score, then random ones, and among them enough that we dialled."""
        parameters = self._parameters
        ranked = list(topic.mesh.values())
        self._dice.shuffle(ranked)
        ranked.sort(key=lambda peer: peer.stats.score, reverse=True)
        best, others = ranked[: parameters.degree_score], ranked[parameters.degree_score :]
        self._dice.shuffle(others)
        ranked = best + others
        kept, surplus = ranked[: parameters.degree], ranked[parameters.degree :]
        lacking = parameters.degree_outbound - sum(peer.is_outbound for peer in kept)
        for peer in [peer for peer in surplus if peer.is_outbound][: max(0, lacking)]:
            # Somebody who came to us makes room, the lowest in rank first.
            index = max(i for i, member in enumerate(kept) if not member.is_outbound)
            surplus[surplus.index(peer)] = kept[index]
            kept[index] = peer
        for peer in surplus:
            self._prune(peer, topic, PruneKind.SURPLUS, now_ms)

    def _graft_outbound(self, topic: Topic, now_ms: int) -> None:
        wanted = self._parameters.degree_outbound
        wanted -= sum(peer.is_outbound for peer in topic.mesh.values())
        if wanted > 0:
            outbound = [peer for peer in self._candidates(topic, now_ms) if peer.is_outbound]
            for peer in outbound[:wanted]:
                self._graft(peer, topic, now_ms)

    def _graft_better(self, topic: Topic, now_ms: int) -> None:
        """Bring in good peers when the mesh as a whole is poor: it may be full of sleepers."""
        middle = median(peer.stats.score for peer in topic.mesh.values())
        if middle < self._parameters.score.opportunistic_threshold:
            better = [peer for peer in self._candidates(topic, now_ms) if peer.stats.score > middle]
            for peer in better[: self._parameters.opportunistic_peers]:
                self._graft(peer, topic, now_ms)

    def _candidates(self, topic: Topic, now_ms: int) -> list[Peer]:
        """Return in random order the subscribers that may be grafted."""
        candidates = [
            peer for peer in topic.subscribers.values() if self._is_eligible(peer, topic, now_ms)
        ]
        self._dice.shuffle(candidates)
        return candidates

    def _is_eligible(self, peer: Peer, topic: Topic, now_ms: int) -> bool:
        if peer.is_direct or peer.stats.score < 0 or peer.peer_id in topic.mesh:
            return False
        until_ms = topic.backoff.until_ms(peer.peer_id)
        return not until_ms or now_ms >= until_ms + self._parameters.heartbeat_ms

    def _graft(self, peer: Peer, topic: Topic, now_ms: int) -> None:
        topic.mesh[peer.peer_id] = peer
        self._scores.grafted(peer.stats, topic.name, now_ms=now_ms)
        peer.outbox.graft(topic.raw)

    def _prune(self, peer: Peer, topic: Topic, kind: PruneKind, now_ms: int) -> None:
        """Tell a peer that it is not in our mesh, and hold both sides off."""
        parameters = self._parameters
        if topic.mesh.pop(peer.peer_id, None) is not None:
            self._scores.pruned(peer.stats, topic.name)
        backoff_ms = (
            parameters.unsubscribe_backoff_ms
            if kind is PruneKind.UNSUBSCRIBED
            else parameters.prune_backoff_ms
        )
        topic.backoff.add(peer.peer_id, until_ms=now_ms + backoff_ms)
        if not peer.knows_backoff:
            peer.outbox.prune(Prune(topic.raw))
            return
        named = self._name_peers(peer, topic) if kind is PruneKind.SURPLUS else ()
        peer.outbox.prune(Prune(topic.raw, named, backoff_ms // 1000))

    def _name_peers(self, receiver: Peer, topic: Topic) -> tuple[tuple[bytes, bytes], ...]:
        parameters = self._parameters
        if not parameters.offers_peers:
            return ()
        named: list[tuple[bytes, bytes]] = []
        size_bytes = 0
        for peer in self.choose(topic, len(topic.subscribers), score_min=0):
            size_bytes += len(peer.envelope)
            if len(named) == parameters.px_peers_max or size_bytes > PX_SIZE_BYTES_MAX:
                break
            if peer is not receiver and peer.envelope:
                named.append((peer.peer_id, peer.envelope))
        return tuple(named)

    def _meet(self, named: tuple[tuple[bytes, bytes], ...]) -> None:
        """Have those dialled whom we do not know and whose signed record holds."""
        for raw_id, envelope in named[: self._parameters.px_peers_max]:
            peer_id = PeerId(raw_id)
            if peer_id in self._peers or not envelope:
                continue
            try:
                record = PeerRecord.open(envelope)
            except HanseError:
                # The peer that names it may have been lied to, so nobody is blamed.
                continue
            if record.peer_id == peer_id:
                self._effects.append(DialPeer(peer_id, envelope))
