"""The making of own blocks: whether, when and with what, from pacemaker to signature.

Proposing pauses when nobody subscribes to us, and when a quorum has not seen our rounds for a
long while (the chain moves without them; our blocks would only grow the DAG). The pause counts
own rounds above GC alone, so it ends at the latest when GC passes them.
"""

from consensus.block import Block, CommitVote
from consensus.committee import EpochContext
from consensus.committer import Committer
from consensus.dag import Vertex
from consensus.events import JournalEntry
from consensus.intake import Intake
from consensus.pacemaker import Pacemaker
from consensus.parameters import Tuning
from consensus.proposer import Proposer
from consensus.signer import Signer, SigningState
from primitives.clock import Instant
from primitives.ids import Round

PAYLOAD_ROUNDS_KEPT = 8


class Producer:
    """Proposes for one authority.

    Attributes:
        is_armed: whether a PROPOSE timer is set for `armed_ms`.
        subscribers: peers that take our stream; None until the shell has told.
    """

    def __init__(
        self,
        context: EpochContext,
        *,
        tuning: Tuning,
        intake: Intake,
        committer: Committer,
        signer: Signer,
        pacemaker: Pacemaker,
    ) -> None:
        self._context = context
        self._own = signer.own
        self._tuning = tuning
        self._intake = intake
        self._committer = committer
        self._signer = signer
        self._pacemaker = pacemaker
        self._last_proposal_ms = -tuning.min_round_delay_ms
        self._seen_by = [0] * context.committee.size
        self._heard_round = 0
        self._payload_round = 0
        self._payload_counts: dict[Round, int] = {}
        self._armed_ms = 0
        self.proposer = Proposer(context, intake.dag, own=signer.own, tuning=tuning)
        self.proposed = signer.watermark
        self.last_block: Block | None = None
        self.is_armed = False
        self.subscribers: int | None = None

    def resume(self) -> None:
        """Continue from the replayed DAG."""
        for seen in self._intake.dag.above(0):
            # Were this forgotten, nodes that all restart would each take itself for unheard.
            self._note_seen(seen)
            self._note_payload(seen)
        vertex = self._intake.dag.latest(self._own)
        if vertex is not None:
            self.last_block = vertex.block
            self.proposer.resume(vertex.block)
            self.proposed = Round(max(self.proposed, vertex.round))

    def note_clock(self, now: Instant) -> None:
        """Note that the clock moved."""
        self._pacemaker.note_clock(self._intake.clock.round, now_ms=now.monotonic_ms)

    def note_vertex(self, vertex: Vertex, *, now_ms: int) -> None:
        """Measure leader arrivals, how far a peer has seen our rounds, and what is to commit."""
        number = vertex.round
        if vertex.author in self._committer.leaders(number):
            paced_ms = self._pacemaker.paced_ms(
                last_proposal_ms=self._last_proposal_ms, delay_ms=self._delay_ms()
            )
            self._pacemaker.note_leader(number, vertex.author, now_ms=now_ms, paced_ms=paced_ms)
        self._note_seen(vertex)
        self._note_payload(vertex)

    def note_commit(self, vote: CommitVote) -> None:
        """Queue the vote for an installed commit."""
        self._pacemaker.note_commit()
        self.proposer.vote(vote)

    def arm(self, now: Instant) -> int | None:
        """Return when a proposal is due, if the PROPOSE timer must be set for that."""
        target = self._target()
        if target is None:
            return None
        if self._is_armed_before(self._soonest_ms(target, now), now):
            # So it is for most blocks, and neither leaders nor votes need to be looked at.
            return None
        due_ms = self._due_ms(target, now)
        if self._is_armed_before(due_ms, now):
            return None
        self.is_armed = True
        self._armed_ms = due_ms
        return due_ms

    def propose(self, now: Instant) -> tuple[Block, JournalEntry] | None:
        """Make one block if one is due, and add it to the DAG."""
        target = self._target()
        if target is None or self._due_ms(target, now) > now.monotonic_ms:
            return None
        ancestors = self.proposer.ancestors(target, excluded=self._intake.excluded)
        is_late = self._intake.clock.has_quorum_at(target)
        payload = () if is_late else self.proposer.take_payload()
        header = self.proposer.compose(
            target,
            ancestors,
            wall_ms=now.wall_ms,
            payload=payload,
            reports=self._intake.watch.take_reports(self._context.parameters.reports_max),
        )
        block, entry = self._signer.sign(header, payload)
        self._note_payload(self._intake.accept(block, self._own))
        self._pacemaker.note_proposal()
        self.note_clock(now)
        self.proposed = target
        self.last_block = block
        self._last_proposal_ms = now.monotonic_ms
        return block, entry

    def _note_seen(self, vertex: Vertex) -> None:
        """Note the newest own round that a vertex builds on."""
        own = self._intake.dag.round(vertex.round - 1).by_bit[self._own]
        if own is not None and vertex.parents >> own.bit & 1:
            self._seen_by[vertex.author] = max(self._seen_by[vertex.author], own.round)
        for weak_round, weak_bit in vertex.weak:
            if weak_bit == self._own:
                self._seen_by[vertex.author] = max(self._seen_by[vertex.author], weak_round)

    def _note_payload(self, vertex: Vertex) -> None:
        count = vertex.block.header.payload_count
        if count:
            number = vertex.round
            self._payload_round = max(self._payload_round, number)
            self._payload_counts[number] = self._payload_counts.get(number, 0) + count
            while len(self._payload_counts) > PAYLOAD_ROUNDS_KEPT:
                del self._payload_counts[min(self._payload_counts)]

    def _is_idle(self) -> bool:
        """Tell whether all payload that is known here is committed.

        A block commits with a leader of the next round at the latest, or comes late; it then
        commits at the pace of an idle chain.
        """
        return not self.proposer.has_payload and self._committer.decided_round > self._payload_round

    def _delay_ms(self) -> int:
        """Return the least time between two own proposals at the present pace.

        What makes it longer is seen by everybody: a seat that slowed down for its own payload
        would come late, and late blocks carry none.
        """
        tuning = self._tuning
        delay_ms = tuning.min_round_delay_ms
        if self._is_idle():
            return max(delay_ms, tuning.idle_round_delay_ms)
        if self._payload_counts.get(self.proposed, 0) >= tuning.laden_after:
            return max(delay_ms, tuning.laden_round_delay_ms)
        return delay_ms

    def _target(self) -> Round | None:
        if self._signer.state is not SigningState.SIGNING or self._is_unheard():
            return None
        return self._pacemaker.target(
            proposed=self.proposed,
            decided=self._committer.decided_round,
            clock=self._intake.clock.round,
        )

    def _is_armed_before(self, due_ms: int, now: Instant) -> bool:
        return self.is_armed and now.monotonic_ms <= self._armed_ms <= due_ms

    def _soonest_ms(self, target: Round, now: Instant) -> int:
        return self._pacemaker.soonest_ms(
            now_ms=now.monotonic_ms,
            last_proposal_ms=self._last_proposal_ms,
            delay_ms=self._delay_ms(),
            is_late=self._intake.clock.has_quorum_at(target),
        )

    def _due_ms(self, target: Round, now: Instant) -> int:
        committer = self._committer
        can_serve = self._pacemaker.can_serve(
            has_leaders=target == 1 or committer.has_leaders(target - 1),
            has_opinions=target <= 2 or committer.has_opinion_quorum(target - 2),
        )
        return self._pacemaker.due_ms(
            target,
            now_ms=now.monotonic_ms,
            last_proposal_ms=self._last_proposal_ms,
            delay_ms=self._delay_ms(),
            is_late=self._intake.clock.has_quorum_at(target),
            can_serve=can_serve,
        )

    def _is_unheard(self) -> bool:
        if self.subscribers == 0:
            return True
        limit = self._tuning.unacknowledged_rounds_max
        if self.proposed - self._intake.dag.gc_round <= limit:
            return False
        floor = self.proposed - limit
        if self._heard_round < floor:
            self._heard_round = self._quorum_seen()
        return self._heard_round < floor

    def _quorum_seen(self) -> int:
        """Return the highest own round that a quorum, ourselves included, has seen."""
        committee = self._context.committee
        power: int = committee.powers[self._own]
        number: int = self.proposed
        ranked = sorted(zip(self._seen_by, committee.indices, strict=True), reverse=True)
        for seen, author in ranked:
            if power >= committee.quorum:
                break
            if author != self._own:
                power += committee.powers[author]
                number = seen
        return number
