"""One task as this node sees it at one moment: what the chain says, and what the document says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from fl.jobs.bounds import StoredBlob
from fl.jobs.subject import AdaptedModel, ExampleSource, PanelSource
from fl.rules.limits import VESTING_ROUNDS
from fl.rules.update.header import HEADER_SIZE_BYTES_MAX
from node.duties.reasons import Cause, Reason, task_reason
from node.duties.situation import Deed, Entry, RunningRound, Situation
from node.federation.document import TaskDocument
from node.federation.states import RoundState, SeatState, Standing, TaskState, TermsState, Vesting
from primitives.hashing import sha256
from primitives.ids import Address, Digest

_SEED_BYTES: Final = 7
_COORDINATE_BYTES_MAX: Final = 8
"""On the wire, with what its row has beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """The examples and base models of this node; where there are none it trains or scores nothing.

    Args:
        train: on what it trains.
        held_out: on what it scores, never trained on by anybody it knows of.
        probes: sets of texts with a trigger, for the guard.
        models: folders of base models on this machine, by the source that a task names.
    """

    train: ExampleSource | None = None
    held_out: ExampleSource | None = None
    probes: tuple[ExampleSource, ...] = ()
    models: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the chain says of the account of this node, for one task.

    Args:
        committee: operators of the running epoch.
    """

    who: Address
    registered_at: int = 0
    standing: Standing | None = None
    vesting: Vesting | None = None
    committee: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A task at one moment."""

    task: int
    document: TaskDocument
    terms: TermsState
    state: TaskState
    round: RoundState | None
    member: Member

    @property
    def model(self) -> Digest:
        """Return the digest of W_t."""
        return Digest(self.state.model)

    @property
    def blob_bytes_max(self) -> int:
        """Return the size of the longest blob that the task can have."""
        return HEADER_SIZE_BYTES_MAX + _COORDINATE_BYTES_MAX * self.document.model_layout.size

    @property
    def reason(self) -> str:
        """Return under which reason blobs of the task are kept for good."""
        return task_reason(self.task)

    def round_reason(self, number: int) -> str:
        """Return under which reason blobs of one round are kept for a while."""
        return str(Reason(self.task, Cause.ROUND, number))

    def version_reason(self, version: int) -> str:
        """Return under which reason blobs are kept from which a version can be made again."""
        return str(Reason(self.task, Cause.VERSION, version))

    def step_reason(self, version: int) -> str:
        """Return under which reason blobs are kept from which the next versions are made."""
        return str(Reason(self.task, Cause.STEP, version))

    def subject(self, learning: Learning, *, weights: StoredBlob) -> AdaptedModel:
        """Return W_t as jobs name it."""
        source = dict(learning.models).get(self.document.source, self.document.source)
        return AdaptedModel(
            frozen=self.document.frozen_from(source),
            adapter=self.document.adapter,
            weights=weights,
        )

    def examples(self, source: ExampleSource) -> ExampleSource:
        """Return examples with the classes in the order of the task."""
        return msgspec.structs.replace(source, label_names=self.document.label_names)

    def panel(self, learning: Learning) -> PanelSource:
        """Return what this node scores with; it must have held something out."""
        assert learning.held_out is not None, "who scores has held something out"
        return PanelSource(
            examples=self.examples(learning.held_out),
            probes=tuple(self.examples(probe) for probe in learning.probes),
            tokens_max=self.document.tokens_max,
            adjustment_percent=self.document.local.adjustment_percent,
        )

    def seed(self, round_number: int) -> int:
        """Return the seed of the groups in which many updates are left out."""
        place = self.task.to_bytes(8, "big") + round_number.to_bytes(8, "big")
        return int.from_bytes(sha256(self.state.model + place)[:_SEED_BYTES], "big")

    def situation(self, *, now_ms: int) -> Situation:
        """Return what a plan follows from.

        Args:
            now_ms: chain time, which decides what has vested.
        """
        state, member = self.state, self.member
        standing = member.standing
        return Situation(
            task=self.task,
            who=member.who,
            model=state.model,
            version=state.version,
            rounds=state.rounds,
            serial=state.serial,
            escrow=state.escrow,
            reward=self.terms.reward,
            is_closing=state.is_closing,
            registered_at=member.registered_at,
            is_quarantined=standing is not None and standing.quarantined_until > state.scored,
            committee=member.committee,
            claimable=_claimable(member.vesting, scored=state.scored, now_ms=now_ms),
            round_pause_ms=self.document.round_pause_ms,
            round=None if self.round is None else _running(self.round, self.terms, member.who),
        )


def ended_round(before: Scene | None, after: Scene) -> int | None:
    """Return the round that ran at the one moment and is over at the other.

    The next one may run by then: a look may miss that none did.
    """
    if before is None or before.round is None:
        return None
    number = before.round.number
    return number if after.round is None or after.round.number != number else None


def _running(state: RoundState, terms: TermsState, who: Address) -> RunningRound:
    seat = state.seat_of(who)
    window = state.phase.window
    return RunningRound(
        number=state.number,
        phase=state.phase,
        deadline_ms=state.deadline_ms,
        window_ms=0 if window is None else terms.windows[window],
        seats=tuple(one.address for one in state.seats),
        quorum=state.quorum,
        entries=tuple(
            Entry(
                trainer=one.trainer,
                root=one.root or b"",
                attested=one.attested,
                weight=one.weight,
            )
            for one in state.updates
        ),
        rung=state.rung,
        held=0 if seat is None else seat.held,
        deeds=frozenset() if seat is None else frozenset(_deeds(seat)),
        aggregate=state.aggregate or b"",
    )


def _deeds(seat: SeatState) -> Sequence[Deed]:
    done = {
        Deed.PROMISED: seat.has_committed,
        Deed.CARDED: seat.has_revealed,
        Deed.VOTED: seat.vote is not None,
        Deed.REPORTED: seat.report is not None,
    }
    return [deed for deed, is_done in done.items() if is_done]


def _claimable(vesting: Vesting | None, *, scored: int, now_ms: int) -> int:
    if vesting is None:
        return 0
    tranches = zip(vesting.scored, vesting.unlock_ms, vesting.amounts, strict=True)
    return vesting.vested + sum(
        amount
        for earned, unlock_ms, amount in tranches
        if scored - earned >= VESTING_ROUNDS or now_ms >= unlock_ms
    )
