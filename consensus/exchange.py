"""What a core says to its peers beside its blocks: answers, requests, pushes.

All of it is repeated or rotated until it is no longer needed, since any message may be lost:
fetches of missing ancestors, a frontier exchange when the clock stands still, pushes to peers
that fell behind (Starfish B2), and the question for our own newest block at boot.
"""

from consensus.block import Block, SignedBlock
from consensus.committee import EpochContext
from consensus.dag import Vertex
from consensus.events import BlocksRequested, Effect, Send, ServeFromStore
from consensus.fetcher import FetchPlan
from consensus.intake import Intake
from consensus.messages import (
    BlocksMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round

PUSHERS_PER_PEER = 3
STALL_PEERS = 2


class Exchange:
    """Builds messages from the DAG; remembers only whom it spoke to last."""

    def __init__(
        self, context: EpochContext, intake: Intake, *, own: AuthorityIndex, tuning: Tuning
    ) -> None:
        self._genesis = context.genesis_digest
        self._size = context.committee.size
        self._peers = tuple(a for a in context.committee.indices if a != own)
        self._own = own
        self._intake = intake
        self._dag = intake.dag
        self._tuning = tuning
        self._rotation = 0
        self._clock_at_tick = Round(0)
        self._pushed_ms: dict[AuthorityIndex, int] = {}

    def fetch(self, plan: FetchPlan) -> list[Effect]:
        """Ask for refs as planned."""
        return [
            Send(peer, FetchMessage(self._genesis, tuple(refs), ())) for peer, refs in plan.items()
        ]

    def ask_latest(self, peers: tuple[AuthorityIndex, ...]) -> list[Effect]:
        """Ask peers for the newest block that we signed."""
        return [Send(peer, LatestQueryMessage(self._genesis)) for peer in peers]

    def tell_latest(self, peer: AuthorityIndex) -> Effect:
        """Answer a booting peer with its newest block that we hold, accepted or suspended."""
        vertex = self._dag.latest(peer)
        candidates = [] if vertex is None else [vertex.block]
        candidates += self._intake.suspension.of_author(peer)
        newest = max(candidates, key=lambda block: block.ref, default=None)
        signed = None if newest is None else newest.signed
        return Send(peer, LatestAnswerMessage(self._genesis, signed))

    def answer(self, request: BlocksRequested) -> list[Effect]:
        """Serve refs from memory, what GC took from the store, and fill up from the frontier."""
        vertices: list[Vertex] = []
        stored = []
        for ref in request.refs:
            vertex = self._dag.get(ref)
            if vertex is not None:
                vertices.append(vertex)
            elif ref.round <= self._dag.gc_round:
                stored.append(ref)
        if request.frontier:
            vertices += self._above(request.frontier, known=vertices)
        effects: list[Effect] = []
        blocks = self._fit(vertices)
        # An empty answer is an answer: the asker turns to another peer at once.
        if blocks or not stored:
            effects.append(Send(request.peer, BlocksMessage(self._genesis, blocks)))
        if stored:
            effects.append(ServeFromStore(request.peer, tuple(stored)))
        return effects

    def exchange_frontiers(self) -> list[Effect]:
        """On a tick: if the clock stood still since the last one, ask for what we may lack."""
        is_moving = self._intake.clock.round > self._clock_at_tick
        self._clock_at_tick = self._intake.clock.round
        if is_moving or not self._peers:
            return []
        frontier = self._intake.frontier()
        effects: list[Effect] = []
        for _ in range(min(STALL_PEERS, len(self._peers))):
            self._rotation = (self._rotation + 1) % len(self._peers)
            peer = self._peers[self._rotation]
            effects.append(Send(peer, FetchMessage(self._genesis, (), frontier)))
        return effects

    def push_to_lagging(self, own_last: Block | None, *, now_ms: int) -> list[Effect]:
        """On entering a round: give peers that fell behind what their last block lacks.

        Three pushers rotate per peer, each at most once a tick, so that a large
        committee does not answer one slow peer with n copies of everything.
        """
        clock = self._intake.clock.round
        effects: list[Effect] = []
        for peer in self._peers:
            latest = self._dag.latest(peer)
            number = 0 if latest is None else latest.round
            if not clock - self._tuning.push_lag_max <= number < clock - 1:
                continue
            if (self._own - peer - clock) % self._size >= PUSHERS_PER_PEER:
                continue
            if now_ms - self._pushed_ms.get(peer, -self._tuning.fetch_timeout_ms) < (
                self._tuning.tick_ms
            ):
                continue
            self._pushed_ms[peer] = now_ms
            lacking = [v for v in self._dag.above(number - 1) if v.author != peer]
            blocks = self._fit(lacking[: 2 * self._size])[: self._tuning.fetch_blocks_max - 1]
            if own_last is not None and own_last.signed not in blocks:
                blocks += (own_last.signed,)
            if blocks:
                effects.append(Send(peer, BlocksMessage(self._genesis, blocks)))
        return effects

    def _above(self, frontier: tuple[int, ...], *, known: list[Vertex]) -> list[Vertex]:
        listed = dict.fromkeys(vertex.digest for vertex in known)
        room = self._tuning.fetch_blocks_max - len(known)
        extras: list[Vertex] = []
        for vertex in self._dag.beyond(frontier):
            if len(extras) >= room:
                break
            if vertex.digest not in listed:
                extras.append(vertex)
        return extras

    def _fit(self, vertices: list[Vertex]) -> tuple[SignedBlock, ...]:
        """Take blocks from the front, up to the limits of one answer."""
        blocks: list[SignedBlock] = []
        room_bytes = self._tuning.fetch_bytes_max
        for vertex in vertices[: self._tuning.fetch_blocks_max]:
            signed = vertex.block.signed
            room_bytes -= signed.size_bytes
            if room_bytes < 0:
                break
            blocks.append(signed)
        return tuple(blocks)
