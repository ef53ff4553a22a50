"""The round-jump adversary: one faulty validator and message delays, all within the bound.

Against a pacemaker that advances as soon as a quorum and the leader are there, it stops every
commit for ever, in a synchronous network of four:

    the faulty validator votes for no leader: its parents are the other three of the round before;
    of the two other honest validators, each hears the leader's blocks (or, leading itself, one
    of them) at once and the third's late, though within the delay bound.

So every honest block has two voters and the blamer among its parents: no certificate, and one
blame is no skip. Rounds go by, votes exist, nothing is ever decided. The repaired pacemaker
waits for the missing votes (condition C1, second half), which are on their way.
Source: Qiu, Xiao, Shao, S&P 2026; Starfish, ePrint 2025/567 (A2, C3).
"""

from collections.abc import Sequence

from typing_extensions import override

from consensus.block import (
    BLOCK_VERSION,
    EMPTY_PAYLOAD_ROOT,
    Block,
    BlockRef,
    Header,
    genesis_ref,
    sign_block,
)
from consensus.events import BlocksReceived, Broadcast, Effect, Origin
from consensus.messages import BlockMessage, FetchMessage
from devnet.simulator.validators.validator import EpochInstance, FromPeer, NodeInput, Validator
from primitives.clock import Instant
from primitives.errors import MalformedBytesError
from primitives.ids import AuthorityIndex, Round, TimestampMs

FAST_US = 5_000
SLOW_US = 60_000


class VoteDenier(Validator):
    """Votes for no leader, and chooses the delays of the network; made for committees of four."""

    _proposed = Round(0)

    @override
    def boot(self, now: Instant) -> Sequence[Effect]:
        # Its core only watches: a fenced core signs nothing, and the blocks are made here.
        self.world.fence(self.own)
        self.world.network.schedule = self._delay_us
        return super().boot(now)

    @override
    def handle(self, event: NodeInput, now: Instant) -> Sequence[Effect]:
        if isinstance(event, FromPeer) and self._asks_for_blocks(event.raw):
            # Answering would hand the late blocks over at once.
            return ()
        effects = [*super().handle(event, now)]
        while (block := self._next_block(now)) is not None:
            self._proposed = block.round
            self.broadcast(self.current, Broadcast(block))
            seen = BlocksReceived(self.own, (block,), Origin.RELAYED)
            effects += self.current.core.handle(seen, now=now)
        return effects

    def _asks_for_blocks(self, raw: bytes) -> bool:
        try:
            return isinstance(self.world.wire.decode(raw), FetchMessage)
        except MalformedBytesError:
            return False

    def _next_block(self, now: Instant) -> Block | None:
        number = Round(self._proposed + 1)
        ancestors = self._ancestors(self.current, number)
        if ancestors is None:
            return None
        context = self.current.context
        header = Header(
            version=BLOCK_VERSION,
            genesis=context.genesis_digest,
            epoch=context.epoch,
            round=number,
            author=self.own,
            timestamp_ms=TimestampMs(now.wall_ms),
            ancestors=ancestors,
            payload_root=EMPTY_PAYLOAD_ROOT,
            payload_bytes=0,
            payload_count=0,
            commit_votes=(),
            reports=(),
        )
        return sign_block(header, (), self.world.genesis.keys[self.own])

    def _ancestors(self, instance: EpochInstance, number: Round) -> tuple[BlockRef, ...] | None:
        """Return an own older block and a quorum of parents without the leader's."""
        committee = instance.context.committee
        genesis = instance.context.genesis_digest
        if number == 1:
            others = [a for a in committee.indices if a != self.own]
            return tuple(genesis_ref(genesis, author) for author in (self.own, *others))
        dag, parent_round = instance.core.dag, number - 1
        shunned = instance.core.leaders(parent_round)
        row = dag.round(parent_round)
        parents = [
            row.slot(author)[0].ref
            for author in committee.indices
            if row.authors >> author & 1 and author not in shunned
        ]
        if not committee.is_quorum(sum(1 << ref.author for ref in parents)):
            if instance.core.clock_round <= number:
                return None
            # An honest node left the round out, so there is nobody but the leader to lean on.
            parents = [row.slot(a)[0].ref for a in committee.indices if row.authors >> a & 1]
        own = [ref for ref in parents if ref.author == self.own]
        previous = own or [self._older(instance, parent_round)]
        return (*previous, *(ref for ref in parents if ref.author != self.own))

    def _older(self, instance: EpochInstance, below: int) -> BlockRef:
        vertex = instance.core.dag.latest_below(self.own, below)
        return (
            genesis_ref(instance.context.genesis_digest, self.own) if vertex is None else vertex.ref
        )

    def _delay_us(self, source: int, target: int, raw: bytes) -> int | None:
        """Choose who hears whom late."""
        if self.own in (source, target):
            return FAST_US
        message = self.world.wire.decode(raw)
        if not isinstance(message, BlockMessage):
            return SLOW_US
        block = self.world.wire.verifier(self.current.context)(message.block)
        leaders = self.current.core.leaders(block.round)
        heard = leaders[0]
        if heard in (target, self.own):
            honest = [node for node in self.world.nodes if node not in (self.own, target)]
            heard = AuthorityIndex(honest[0])
        return FAST_US if source == heard else SLOW_US
