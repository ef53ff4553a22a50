"""The duties of a seat: hold, score, vote, guard; and those that fall to seats in turn."""

import asyncio
from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from fl.jobs.bounds import StoredBlob
from fl.jobs.results import BlobFacts, Vote
from fl.jobs.work import NOBODY, Earlier, EvaluateJob, InspectJob, ScoreJob
from node.blobs.errors import BlobUnavailableError
from node.duties.duty import Duty
from node.duties.equipment import Equipment
from node.duties.errors import LostResultError, UpdateUnavailableError
from node.duties.gas import ADVANCE_STEPS
from node.duties.history import History, OnProgress
from node.duties.notes import ReportNote, RoundNotes
from node.duties.salts import Purpose
from node.duties.scene import Scene
from node.duties.scorecards import report_of, valid_places, write_card
from node.duties.trainer import Sealed
from node.federation import calls
from node.federation.commitments import scores_commitment
from node.federation.states import RoundState, UpdateState
from primitives.errors import HanseError
from primitives.ids import Digest

_log = structlog.get_logger("node.duties")


class Validator:
    """Does what a seat must."""

    def __init__(self, equipment: Equipment, *, history: History) -> None:
        self._own = equipment
        self._history = history

    async def fetch_updates(self, scene: Scene, running: RoundState, duty: Duty) -> None:
        """Get updates that were sealed for this seat, all at once.

        Raises:
            UpdateUnavailableError: nobody gave some of them; the others are here.
            HanseError: some could not be kept; the others are here.
        """
        missing = [running.updates[index] for index in duty.indices()]
        async with asyncio.TaskGroup() as fetches:
            found = [
                fetches.create_task(self._fetch(scene, running, one), name=f"update {one.index}")
                for one in missing
            ]
        errors = {
            one.index: error
            for one, task in zip(missing, found, strict=True)
            if (error := task.result()) is not None
        }
        for error in errors.values():
            if not isinstance(error, BlobUnavailableError):
                raise error
        if errors:
            first = next(iter(errors.values()))
            raise UpdateUnavailableError(f"nobody gave the updates {list(errors)}: {first}")

    async def attest(self, scene: Scene, duty: Duty) -> None:
        """Say which updates are here."""
        await self._own.call(scene, calls.attest(scene.task, held=duty.bits))

    async def judge(
        self, scene: Scene, running: RoundState, duty: Duty, on_progress: OnProgress
    ) -> None:
        """Establish facts about the available updates, score those that are valid, write it down.

        Raises:
            LostResultError: a scorecard was committed to, and this one is another.
        """
        updates = [running.updates[index] for index in duty.indices()]
        stored = [await self._stored(one) for one in updates]
        facts = await self._facts(scene, running, updates, stored, on_progress)
        votes = await self._votes(
            scene, running, [stored[place] for place in valid_places(facts)], on_progress
        )
        card = write_card(
            len(running.updates),
            inspected=[one.index for one in updates],
            facts=facts,
            votes=votes,
        )
        for one, fact in zip(updates, facts, strict=True):
            if fact.fault:
                _log.warning("update is malformed", update=one.index, fault=fact.fault)
        seat = running.seat_of(self._own.who)
        if seat is not None and seat.has_committed:
            self._check_same(scene, running, card, committed=seat.commitment)
        self._own.notebook.note(scene.task, running.number, lambda notes: replace(notes, card=card))

    async def commit_scores(self, scene: Scene, running: RoundState) -> None:
        """Commit to the scorecard."""
        commitment = self._commitment(scene, running, self._card(scene, running))
        await self._own.call(scene, calls.commit_scores(scene.task, commitment=commitment))

    async def reveal_scores(self, scene: Scene, running: RoundState) -> None:
        """Open the commitment to the scorecard."""
        salt = self._own.salts.salt(scene.task, running.number, Purpose.SCORES)
        card = self._card(scene, running)
        await self._own.call(scene, calls.reveal_scores(scene.task, card=card, salt=salt))

    async def vote(self, scene: Scene, running: RoundState) -> None:
        """Vote for the aggregate that this node computed."""
        aggregate = self._candidate(scene, running)
        await self._own.call(scene, calls.vote(scene.task, aggregate=aggregate))

    async def evaluate(self, scene: Scene, running: RoundState, on_progress: OnProgress) -> None:
        """Measure what the guard watches, under what has a quorum or else under the own candidate.

        Raises:
            LostResultError: nothing has a quorum, and the own candidate is not here.
            UnfitReportError: this node has fewer measures than the task guards.
        """
        own = self._own
        aggregate = Digest(running.aggregate or self._candidate(scene, running))
        weights = await own.blobs.stored(scene.model)
        job = EvaluateJob(
            subject=scene.subject(own.learning, weights=weights),
            candidate=await own.blobs.stored(aggregate),
            panel=scene.panel(own.learning),
        )
        result = await own.work(job, on_progress)
        changes = report_of(result.rises, wanted=len(scene.terms.guard_bounds))
        note = ReportNote(rung=running.rung, aggregate=aggregate, changes=changes)

        def change(notes: RoundNotes) -> RoundNotes:
            others = (one for one in notes.reports if one.rung != note.rung)
            return replace(notes, reports=(*others, note))

        own.notebook.note(scene.task, running.number, change)

    async def report(self, scene: Scene, running: RoundState) -> None:
        """Report on the aggregate that has a quorum."""
        notes = self._own.notebook.of_round(scene.task, running.number)
        note = notes.report(running.rung, running.aggregate or b"")
        if note is None:
            raise LostResultError(f"the report of rung {running.rung} is not here")
        await self._own.call(scene, calls.report(scene.task, changes=note.changes))

    async def open_round(self, scene: Scene) -> None:
        """Open the next round."""
        await self._own.call(scene, calls.open_round(scene.task))

    async def advance(self, scene: Scene) -> None:
        """Take steps that are due and that nobody took."""
        await self._own.call(scene, calls.advance(scene.task, steps=ADVANCE_STEPS))

    async def _fetch(
        self, scene: Scene, running: RoundState, update: UpdateState
    ) -> HanseError | None:
        """Get one update; return why it could not be had, since others may be."""
        root = update.root or b""
        sealed = Sealed.of(scene, running, root=root, trainer=update.trainer)
        try:
            await self._own.blobs.fetch_sealed(
                sealed,
                size_bytes_max=scene.blob_bytes_max,
                reason=scene.round_reason(running.number),
            )
        except HanseError as error:
            _log.debug("update was not given", update=update.index, error=str(error))
            return error
        return None

    async def _facts(
        self,
        scene: Scene,
        running: RoundState,
        updates: Sequence[UpdateState],
        stored: Sequence[StoredBlob],
        on_progress: OnProgress,
    ) -> Sequence[BlobFacts]:
        places = {bytes(one.trainer): place for place, one in enumerate(updates)}
        earlier = [
            Earlier(await self._public(scene, Digest(use.root)), places.get(use.trainer, NOBODY))
            for use in self._history.earlier(scene, running.number)
        ]
        deltas = self._history.deltas(scene, running.number)
        job = InspectJob(
            updates=tuple(stored),
            earlier=tuple(earlier),
            global_deltas=tuple([await self._own.blobs.stored(one) for one in deltas]),
            pins=scene.document.pins,
            layout=scene.document.layout_of(running.number),
        )
        return (await self._own.work(job, on_progress)).facts

    async def _votes(
        self,
        scene: Scene,
        running: RoundState,
        valid: Sequence[StoredBlob],
        on_progress: OnProgress,
    ) -> Sequence[Vote]:
        if not valid:
            return ()
        document, weights = scene.document, await self._own.blobs.stored(scene.model)
        job = ScoreJob(
            subject=scene.subject(self._own.learning, weights=weights),
            round=running.number,
            updates=tuple(valid),
            panel=scene.panel(self._own.learning),
            clip=scene.state.clip,
            penalty=document.penalty,
            seed=scene.seed(running.number),
            rule=document.rule,
            byzantine_percent=document.byzantine_percent,
        )
        return (await self._own.work(job, on_progress)).votes

    async def _public(self, scene: Scene, root: Digest) -> StoredBlob:
        """Return an update of an earlier round, which everybody may have."""
        blobs = self._own.blobs
        if not blobs.has(root):
            reason = scene.round_reason(scene.state.rounds)
            await blobs.fetch(root, size_bytes_max=scene.blob_bytes_max, reason=reason)
        return await blobs.stored(root)

    async def _stored(self, update: UpdateState) -> StoredBlob:
        return await self._own.blobs.stored(Digest(update.root or b""))

    def _candidate(self, scene: Scene, running: RoundState) -> Digest:
        candidate = self._own.notebook.of_round(scene.task, running.number).candidate(running.rung)
        if not candidate:
            raise LostResultError(f"the aggregate of rung {running.rung} is not here")
        return Digest(candidate)

    def _card(self, scene: Scene, running: RoundState) -> bytes:
        card = self._own.notebook.of_round(scene.task, running.number).card
        if not card:
            raise LostResultError(f"the scorecard of round {running.number} is not here")
        return card

    def _commitment(self, scene: Scene, running: RoundState, card: bytes) -> Digest:
        salt = self._own.salts.salt(scene.task, running.number, Purpose.SCORES)
        return scores_commitment(
            scene.task, running.number, validator=self._own.who, card=card, salt=salt
        )

    def _check_same(
        self, scene: Scene, running: RoundState, card: bytes, *, committed: bytes
    ) -> None:
        if self._commitment(scene, running, card) != committed:
            raise LostResultError(
                "the scorecard that was committed to is lost, and scoring again gave another: "
                "it cannot be revealed"
            )
