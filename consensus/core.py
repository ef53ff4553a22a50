"""The consensus state machine of one validator in one epoch: inputs in, effects out.

Everything agreed happens here, and nothing else does: no I/O, no clock, no dice, no float, no
unordered iteration. One owner feeds it inputs with the time and carries out the effects in
order (see `events`); the same inputs give the same effects on every machine.

After any input that may have moved the DAG the steps are: accept, commit, collect, adopt
certified commits, publish evidence, consider proposing. Proposals leave on a timer even when
they are due at once, so that everything that arrived by then is among their ancestors.
"""

from typing import assert_never

from consensus.block import Block, CommitVote
from consensus.catch_up import Answer, CatchUp
from consensus.commit_sync import CommitSync
from consensus.committee import EpochContext
from consensus.dag import Dag, Vertex
from consensus.errors import CommitRangeError
from consensus.events import (
    AlarmKind,
    BlocksReceived,
    BlocksRequested,
    Booted,
    Broadcast,
    CloseEpoch,
    CommitsReceived,
    Effect,
    EpochCloseForced,
    Input,
    LatestAnswered,
    LatestQueried,
    Origin,
    PayloadReturned,
    PayloadSubmitted,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
    SetTimer,
    SubscribersChanged,
    Timer,
    TimerFired,
)
from consensus.exchange import Exchange
from consensus.intake import Intake
from consensus.ordering import OrderedCommit, Ordering
from consensus.outbox import Outbox
from consensus.pacemaker import Pacemaker
from consensus.parameters import Tuning
from consensus.producer import Producer
from consensus.recovery import Durable, replay
from consensus.signer import Signer, SigningState
from primitives.clock import Instant
from primitives.errors import InvalidCommitError
from primitives.ids import AuthorityIndex, CommitIndex, Round
from primitives.keys import PrivateKey

ROUNDS_PER_INPUT_MAX = 32


class Core:
    """One authority's consensus; build it with `recover`, feed it `Booted` first.

    Args:
        pacemaker: chooses rounds and times; the simulator swaps in a flawed one to show the
            stall that the repaired one prevents.
    """

    def __init__(
        self,
        context: EpochContext,
        *,
        tuning: Tuning,
        signer: Signer,
        pacemaker: Pacemaker,
    ) -> None:
        own = signer.own
        self._context = context
        self._own = own
        self._tuning = tuning
        self._intake = Intake(context, own=own, tuning=tuning)
        self._ordering = Ordering(context, self._intake.dag)
        self._sync = CommitSync(context, own=own, tuning=tuning)
        self._exchange = Exchange(context, self._intake, own=own, tuning=tuning)
        self._catch_up = CatchUp(
            intake=self._intake, sync=self._sync, exchange=self._exchange, tuning=tuning
        )
        self._signer = signer
        self._outbox = Outbox()
        self._producer = Producer(
            context,
            tuning=tuning,
            intake=self._intake,
            committer=self._ordering.committer,
            signer=signer,
            pacemaker=pacemaker,
        )
        self._close_at: CommitIndex | None = None
        self._is_closed = False
        self._is_halted = False
        self._alarms: dict[AlarmKind, None] = {}
        self._clock_seen = Round(0)
        self._has_answer = False
        self._has_news = False

    @classmethod
    def recover(
        cls,
        context: EpochContext,
        *,
        own: AuthorityIndex,
        key: PrivateKey,
        tuning: Tuning,
        durable: Durable,
        pacemaker: Pacemaker | None = None,
    ) -> "Core":
        """Rebuild a core from what is durable; for a first boot, from `EMPTY_STATE`.

        Raises:
            StorageError: the store contradicts itself.
        """
        signer = Signer(
            key, own=own, context=context, journal=durable.journal, watermark=durable.watermark
        )
        core = cls(
            context,
            tuning=tuning,
            signer=signer,
            pacemaker=pacemaker or Pacemaker(context.committee, tuning),
        )
        core._replay(durable)
        return core

    @property
    def commit_index(self) -> CommitIndex:
        """Return the index of the last commit that this core installed."""
        return self._ordering.linearizer.index

    @property
    def clock_round(self) -> Round:
        """Return the highest round that the accepted blocks make possible."""
        return self._intake.clock.round

    @property
    def dag(self) -> Dag:
        """Return the accepted blocks, to read; only the core changes them."""
        return self._intake.dag

    def leaders(self, number: int) -> tuple[AuthorityIndex, ...]:
        """Return the leaders of a round under the schedule in force, in slot order."""
        return self._ordering.schedule.leaders(number)

    @property
    def signing_state(self) -> SigningState:
        """Return whether this core may sign."""
        return self._signer.state

    @property
    def is_closed(self) -> bool:
        """Tell whether the epoch ended; a closed core only serves."""
        return self._is_closed

    @property
    def memory(self) -> dict[str, int]:
        """Return the sizes of everything that grows, for metrics and for the bound tests."""
        return {
            "vertices": len(self._intake.dag),
            "suspended": len(self._intake.suspension),
            "wanted": len(self._intake.suspension.wanted),
            "backlog": self._intake.backlog,
        }

    def handle(self, event: Input, *, now: Instant) -> list[Effect]:
        """Advance by one input; the caller carries out the effects in order, each to its end."""
        match event:
            case PayloadSubmitted():
                self._on_payload(event)
                self._arm(now)
            case BlocksRequested() | LatestQueried() | EpochCloseForced():
                self._serve(event)
            case _:
                self._advance(event, now)
                self._progress(now)
        return self._outbox.release()

    def _serve(self, event: BlocksRequested | LatestQueried | EpochCloseForced) -> None:
        """Handle an input that leaves the DAG as it is."""
        match event:
            case BlocksRequested():
                self._emit(self._exchange.answer(event))
            case LatestQueried():
                self._emit([self._exchange.tell_latest(event.peer)])
            case EpochCloseForced():
                self._on_close_forced(event)
            case _:
                assert_never(event)

    def _advance(
        self,
        event: Booted
        | BlocksReceived
        | CommitsReceived
        | LatestAnswered
        | SubscribersChanged
        | TimerFired,
        now: Instant,
    ) -> None:
        """Handle an input after which the DAG, the order or a proposal may move."""
        match event:
            case BlocksReceived():
                self._on_blocks(event, now)
            case TimerFired():
                self._on_timer(event.timer, now)
            case CommitsReceived():
                self._on_commits(event, now)
            case LatestAnswered():
                self._on_latest(event, now)
            case SubscribersChanged():
                self._producer.subscribers = event.count
            case Booted():
                self._on_boot(now)
            case _:
                assert_never(event)

    def _on_boot(self, now: Instant) -> None:
        if self._signer.state is SigningState.ABSTAINING:
            self._raise_alarm(AlarmKind.JOURNAL_LOST, "the signer journal is lost or fenced")
        self._producer.note_clock(now)
        last = self._producer.last_block
        may_sign = self._signer.state is not SigningState.ABSTAINING
        if may_sign and last is not None and self._signer.is_foreign(last):
            # It was stored and, for a crash in between, not journalled: nobody has seen it.
            self._outbox.confirm(last, self._signer.resume(last))
        else:
            self._repeat_last()
        self._emit(self._exchange.ask_latest(self._signer.unanswered))
        self._outbox.add(SetTimer(Timer.TICK, now.monotonic_ms + self._tuning.tick_ms))

    def _on_blocks(self, event: BlocksReceived, now: Instant) -> None:
        if event.origin is Origin.RELAYED:
            self._intake.fetcher.answered(event.peer)
            self._has_answer = True
        for block in event.blocks:
            self._count_votes(block)
            if block.author == self._own and not self._intake.knows(block.ref):
                self._check_own(block)
            is_live = event.origin is Origin.STREAM
            if self._is_quiet or (is_live and self._sync.is_lagging(self.commit_index)):
                continue
            self._intake.offer(block, event.peer, origin=event.origin, now=now)

    def _on_commits(self, event: CommitsReceived, now: Instant) -> None:
        for block in event.certifiers:
            self._count_votes(block)
        if not event.commits:
            self._sync.refused(event.peer)
            return
        try:
            self._sync.accept(event.peer, event.commits, event.certifiers)
        except CommitRangeError:
            # Late or repeated: our own timeout may be the reason, so nobody is blamed.
            return
        except InvalidCommitError as error:
            self._sync.refused(event.peer)
            self._outbox.add(ReportPeer(event.peer, f"{error.code}: {error}"))
            return
        self._emit(self._catch_up.on_certified(self.commit_index, now_ms=now.monotonic_ms))

    def _on_payload(self, event: PayloadSubmitted) -> None:
        refused = event.items if self._is_closed else self._producer.proposer.submit(event.items)
        if refused:
            self._outbox.add(PayloadReturned(refused))

    def _on_latest(self, event: LatestAnswered, now: Instant) -> None:
        if event.block is not None:
            if self._signer.is_foreign(event.block):
                self._check_own(event.block)
                return
            if not self._is_quiet:
                self._intake.offer(event.block, event.peer, origin=Origin.RELAYED, now=now)
        self._signer.note_answer(event.peer)

    def _on_close_forced(self, event: EpochCloseForced) -> None:
        if event.index <= self.commit_index:
            detail = f"commit {self.commit_index} is here, the close names {event.index}"
            self._raise_alarm(AlarmKind.CLOSE_MISSED, detail)
            return
        self._close_at = event.index

    def _on_timer(self, timer: Timer, now: Instant) -> None:
        match timer:
            case Timer.TICK:
                self._on_tick(now)
            case Timer.PROPOSE:
                self._producer.is_armed = False
                self._propose(now)
            case Timer.CONTINUE:
                pass
            case _:
                assert_never(timer)

    def _on_tick(self, now: Instant) -> None:
        now_ms = now.monotonic_ms
        self._outbox.add(SetTimer(Timer.TICK, now_ms + self._tuning.tick_ms))
        self._emit(self._exchange.ask_latest(self._signer.unanswered))
        if self._is_quiet:
            return
        self._emit(self._catch_up.on_tick(self.commit_index, now_ms=now_ms))
        stalled = self._exchange.exchange_frontiers()
        if stalled:
            self._emit(stalled)
            self._repeat_last()

    def _progress(self, now: Instant) -> None:
        """Carry everything forward that the last input made possible."""
        if not self._is_closed:
            self._accept(now)
            self._commit()
            if self._sync.has_certified:
                self._adopt_certified()
            if self._has_answer and not self._is_closed:
                answer = Answer.NEWS if self._has_news else Answer.NOTHING_NEW
                self._has_answer = self._has_news = False
                now_ms = now.monotonic_ms
                self._emit(self._catch_up.on_answer(answer, self.commit_index, now_ms=now_ms))
        for author, evidence in self._intake.take_evidence():
            self._outbox.add(PublishEvidence(author, evidence))
        if self._intake.backlog and not self._is_closed:
            self._outbox.add(SetTimer(Timer.CONTINUE, now.monotonic_ms))
        self._arm(now)

    def _arm(self, now: Instant) -> None:
        due_ms = None if self._is_quiet else self._producer.arm(now)
        if due_ms is not None:
            self._outbox.add(SetTimer(Timer.PROPOSE, due_ms))

    def _propose(self, now: Instant) -> None:
        """Make every block that is due: one at the frontier, many when catching up."""
        for _ in range(ROUNDS_PER_INPUT_MAX):
            made = None if self._is_quiet else self._producer.propose(now)
            if made is None:
                return
            self._outbox.announce(*made)
            self._commit()

    def _repeat_last(self) -> None:
        """Broadcast the newest own block again; were it lost, the others could stall."""
        if self._producer.last_block is not None:
            self._outbox.add(Broadcast(self._producer.last_block))

    @property
    def _is_quiet(self) -> bool:
        return self._is_closed or self._is_halted

    def _accept(self, now: Instant) -> None:
        vertices, plan = self._intake.drain(now=now)
        self._emit(self._exchange.fetch(plan))
        self._has_news |= bool(vertices)
        for vertex in vertices:
            self._outbox.store(vertex.block)
            self._producer.note_vertex(vertex, now_ms=now.monotonic_ms)
            if vertex.block.header.reports:
                self._follow_reports(vertex)
        if vertices and self._intake.clock.round > self._clock_seen:
            self._clock_seen = self._intake.clock.round
            self._producer.note_clock(now)
            last = self._producer.last_block
            self._emit(self._exchange.push_to_lagging(last, now_ms=now.monotonic_ms))

    def _commit(self) -> None:
        while not self._is_quiet and (ordered := self._ordering.advance()) is not None:
            self._install(ordered)
        if self._ordering.committer.conflict is not None and not self._is_halted:
            first, second = self._ordering.committer.conflict
            self._halt(AlarmKind.CERTIFIED_TWINS, f"{first.ref} and {second.ref}")

    def _adopt_certified(self) -> None:
        while not self._is_quiet:
            entry = self._sync.next_certified(self.commit_index)
            if entry is None or any(self._intake.dag.get(ref) is None for ref in entry[0].blocks):
                return
            try:
                ordered = self._ordering.adopt(*entry)
            except InvalidCommitError:
                # It does not chain to ours. Votes that contradict ours raise their own alarm.
                self._sync.discard()
                return
            self._install(ordered)
            self._commit()

    def _install(self, ordered: OrderedCommit) -> None:
        """Store and deliver a commit, vote for it, move GC, and close the epoch if it is time."""
        self._outbox.commit(ordered)
        # GC before the close, which returns what GC left: payload comes back once.
        self._return_lost(self._intake.collect(self._ordering.linearizer.floor))
        self._note_commit(ordered)

    def _note_commit(self, ordered: OrderedCommit) -> None:
        sub_dag = ordered.sub_dag
        self._producer.note_commit(CommitVote(sub_dag.index, sub_dag.digest))
        if self._sync.installed(sub_dag.index, sub_dag.digest):
            self._halt(AlarmKind.COMMIT_MISMATCH, f"commit {sub_dag.index}")
        if self._is_last():
            self._is_closed = True
            self._outbox.close(CloseEpoch(sub_dag.index, sub_dag.digest))
            self._return_lost(list(self._intake.dag.above(0)))
            items = self._producer.proposer.surrender()
            if items:
                self._outbox.add(PayloadReturned(items))

    def _is_last(self) -> bool:
        """Tell whether the newest commit closes the epoch."""
        linearizer = self._ordering.linearizer
        closes_at_ms = self._context.span.closes_at_ms
        is_due = closes_at_ms is not None and linearizer.timestamp_ms >= closes_at_ms
        is_forced = self._close_at is not None and linearizer.index >= self._close_at
        return linearizer.index > 0 and (is_due or is_forced)

    def _return_lost(self, vertices: list[Vertex]) -> None:
        items: list[bytes] = []
        for vertex in vertices:
            if vertex.author == self._own and not vertex.committed:
                items += vertex.block.signed.payload
        if items:
            self._outbox.add(PayloadReturned(tuple(items)))

    def _follow_reports(self, vertex: Vertex) -> None:
        for report in vertex.block.header.reports:
            refs = self._intake.watch.follow(report)
            missing = [ref for ref in refs if not self._intake.knows(ref)]
            if missing:
                self._emit(self._exchange.fetch({vertex.author: missing}))

    def _count_votes(self, block: Block) -> None:
        if block.header.commit_votes and self._sync.observe(block):
            self._halt(AlarmKind.COMMIT_MISMATCH, f"seen in a block of {block.author}")

    def _check_own(self, block: Block) -> None:
        """Stop signing if our key signed what we did not: a newer block, or a twin of ours."""
        mine = self._intake.dag.round(block.round).by_bit[self._own]
        is_twin = mine is not None and mine.ref != block.ref
        if is_twin or self._signer.is_foreign(block):
            if self._signer.state is not SigningState.ABSTAINING:
                # Durable, or the next boot would take the block for our own and sign on.
                self._outbox.journal(self._signer.fence(block))
            self._raise_alarm(AlarmKind.FOREIGN_OWN_BLOCK, f"round {block.round}")

    def _halt(self, kind: AlarmKind, detail: str) -> None:
        self._is_halted = True
        self._signer.abstain()
        self._raise_alarm(kind, detail)

    def _raise_alarm(self, kind: AlarmKind, detail: str) -> None:
        if kind not in self._alarms:
            self._alarms[kind] = None
            self._outbox.add(RaiseAlarm(kind, detail))

    def _emit(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._outbox.add(effect)

    def _replay(self, durable: Durable) -> None:
        self._close_at = durable.close_at
        for ordered in replay(
            durable.state, intake=self._intake, ordering=self._ordering, own=self._own
        ):
            self._note_commit(ordered)
        self._intake.collect(self._ordering.linearizer.floor)
        self._clock_seen = self._intake.clock.round
        self._producer.resume()
        # Asked anew, since a boundary commit is restored and not replayed: a node that crashed
        # between such a closing commit and the next epoch once went on committing in the old.
        # The shell sees `is_closed`; effects of the close would come a second time.
        self._is_closed = self._is_last()
        self._outbox.release()
