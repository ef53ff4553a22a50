"""Show tasks, rounds, models and identities as the schemas have them; pure."""

from node.federation.states import (
    CatalogueEntry,
    IdentityState,
    ModelRecord,
    RoundState,
    SeatState,
    TaskState,
    TermsState,
    UpdateState,
)
from node.rpc.round_schemas import Identity, Model, Round, Seat, Task, Terms, Update
from node.rpc.texts import account_text, address_text


def show_terms(terms: TermsState) -> Terms:
    """Return what a task promises."""
    return Terms(
        document=terms.document.hex(),
        reward=str(terms.reward),
        bond=str(terms.bond),
        slots=terms.slots,
        ready=terms.ready,
        epsilon=str(terms.epsilon),
        band_min=str(terms.band_min),
        harm=str(terms.harm),
        clip_min=str(terms.clip_min),
        windows=terms.windows,
        guard_bounds=tuple(map(str, terms.guard_bounds)),
        identity_percent=terms.identity_percent,
    )


def show_task(
    number: int, task: TaskState, terms: TermsState, entry: CatalogueEntry | None
) -> Task:
    """Return a task with what its sponsor says of it."""
    return Task(
        task=number,
        title="" if entry is None else entry.title,
        description="" if entry is None else entry.description,
        organisation="" if entry is None else entry.organisation,
        sponsor=address_text(task.sponsor),
        model=task.model.hex(),
        clip=str(task.clip),
        escrow=str(task.escrow),
        version=task.version,
        rounds=task.rounds,
        scored=task.scored,
        is_running=task.is_running,
        is_closing=task.is_closing,
        is_closed=task.is_closed,
        terms=show_terms(terms),
    )


def show_round(state: RoundState) -> Round:
    """Return the running round."""
    return Round(
        task=state.task,
        number=state.number,
        phase=state.phase.value,
        deadline_ms=state.deadline_ms,
        quorum=str(state.quorum),
        pot=str(state.pot),
        rung=state.rung,
        aggregate=None if state.aggregate is None else state.aggregate.hex(),
        is_committed=state.is_committed,
        updates=tuple(map(_update, state.updates)),
        seats=tuple(map(_seat, state.seats)),
    )


def _update(update: UpdateState) -> Update:
    verdict = "accepted" if update.weight else "pending"
    return Update(
        index=update.index,
        trainer=address_text(update.trainer),
        commitment=update.commitment.hex(),
        committed_at=update.committed_at,
        bond=str(update.bond),
        root=None if update.root is None else update.root.hex(),
        attested=str(update.attested),
        is_available=update.is_available,
        is_judged=update.is_judged,
        score=str(update.score),
        norm=str(update.norm),
        cluster=str(update.cluster),
        verdict=verdict if update.reason is None else update.reason.value,
        weight=str(update.weight),
        gain=str(update.gain),
    )


def _seat(seat: SeatState) -> Seat:
    report = seat.report
    return Seat(
        index=seat.index,
        validator=address_text(seat.address),
        power=str(seat.power),
        held=tuple(bit for bit in range(seat.held.bit_length()) if seat.held >> bit & 1),
        has_committed=seat.has_committed,
        has_revealed=seat.has_revealed,
        vote=None if seat.vote is None else seat.vote.hex(),
        report=None if report is None else tuple(map(str, report)),
    )


def show_model(record: ModelRecord, *, task: int, version: int) -> Model:
    """Return a version of a model."""
    return Model(
        task=task,
        version=version,
        round=record.round,
        parent=record.parent.hex(),
        model=record.model.hex(),
        clip=str(record.clip),
        limit=str(record.limit),
        halvings=record.halvings,
        contributors=tuple(map(address_text, record.contributors)),
        roots=tuple(root.hex() for root in record.roots),
        weights=tuple(map(str, record.weights)),
        scores=tuple(map(str, record.scores)),
        height=record.height,
        time_ms=record.time_ms,
    )


def show_identity(state: IdentityState) -> Identity:
    """Return who an account is."""
    return Identity(
        address=account_text(state.address),
        name=state.name,
        role=state.role,
        organisation=state.organisation,
        registered_at=state.registered_at,
        roles=state.roles,
        keys=tuple(key.hex() for key in state.keys),
    )
