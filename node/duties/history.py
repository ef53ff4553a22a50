"""Follow a model from version to version: its blobs, what was added, the state of its optimiser.

A validator that took part has all of it from its own aggregates. One that did not makes it again
from the registry and the updates that went in, and refuses to go on from another result.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from fl.jobs.bounds import StoredBlob
from fl.jobs.progress import Progress
from fl.jobs.work import EARLIER_MAX, Weighted
from fl.rules.update.similarity import GLOBAL_DELTAS_MAX
from node.duties.equipment import Equipment
from node.duties.errors import DutyError, HistoryDivergedError
from node.duties.notes import CandidateNote, RoundNotes, Use, VersionNote
from node.duties.ports import Audience
from node.duties.scene import Scene
from node.federation.jobs import RoundInputs, aggregate_job
from node.federation.states import RoundState
from primitives.cid import Cid
from primitives.ids import Digest

OnProgress = Callable[[Progress], None]


class History:
    """The versions of the models that this node follows."""

    def __init__(self, equipment: Equipment) -> None:
        self._own = equipment

    def known_version(self, task: int) -> int:
        """Return the newest version that is here with delta and state; -1: not even the first."""
        versions = self._own.notebook.history(task).versions
        return versions[-1].version if versions else -1

    async def follow(self, scene: Scene) -> None:
        """Take over the newest version, if it is what this node computed, or the first."""
        version, known = scene.state.version, self.known_version(scene.task)
        if known >= version or not self._own.blobs.has(scene.model):
            return
        if version == 0:
            await self._begin(scene)
        elif known == version - 1:
            made = self._made(scene)
            if made is not None:
                await self._adopt(scene, made, round_number=scene.state.rounds - 1)

    async def fetch_model(self, scene: Scene) -> None:
        """Get W_t."""
        version = scene.state.version
        await self._fetch(scene, scene.model, reason=_model_reason(scene, version))

    async def fetch_candidate(self, scene: Scene, running: RoundState) -> None:
        """Get what has a quorum, from those who computed it."""
        assert running.aggregate is not None, "there is a candidate in GUARD"
        await self._own.blobs.fetch(
            Digest(running.aggregate),
            size_bytes_max=scene.blob_bytes_max,
            reason=scene.round_reason(running.number),
        )

    async def aggregate(self, scene: Scene, running: RoundState, on_progress: OnProgress) -> None:
        """Make the candidate of this rung, and let everybody have it."""
        uses = tuple(
            Use(trainer=one.trainer, root=one.root or b"", weight=one.weight)
            for one in running.weighted
        )
        made = await self._aggregated(
            scene,
            uses,
            round_number=running.number,
            limit=scene.state.clip,
            on_progress=on_progress,
        )
        note = replace(made, rung=running.rung)
        await self._own.blobs.open_up(Cid.decode(note.model).digest)

        def change(notes: RoundNotes) -> RoundNotes:
            others = (one for one in notes.candidates if one.rung != note.rung)
            return replace(notes, candidates=(*others, note))

        self._own.notebook.note(scene.task, running.number, change)

    async def replay(self, scene: Scene, on_progress: OnProgress) -> None:
        """Make every version again that this node has missed.

        Raises:
            HistoryDivergedError: the rules give another model than the registry has.
            DutyError: the registry does not say enough.
        """
        if self.known_version(scene.task) < 0:
            await self._begin(scene)
        for version in range(self.known_version(scene.task) + 1, scene.state.version + 1):
            await self._replay_one(scene, version, on_progress)

    def deltas(self, scene: Scene, round_number: int) -> list[Digest]:
        """Return what the last rounds of the layout of this round added to the model."""
        steps = self._alike(scene, round_number)
        return [Cid.decode(one.delta).digest for one in steps if one.delta is not None]

    def earlier(self, scene: Scene, round_number: int) -> list[Use]:
        """Return the updates of those rounds that went into the model, whoever sent them."""
        uses = [use for step in self._alike(scene, round_number) for use in step.uses]
        return uses[-EARLIER_MAX:]

    def _alike(self, scene: Scene, round_number: int) -> Sequence[VersionNote]:
        layout_of = scene.document.layout_of
        layout = layout_of(round_number)
        versions = self._own.notebook.history(scene.task).versions
        changed = [one for one in versions if one.version and layout_of(one.round) == layout]
        return changed[-GLOBAL_DELTAS_MAX:]

    async def _begin(self, scene: Scene) -> None:
        start = Digest(scene.document.start)
        if not self._own.blobs.has(start):
            await self._fetch(scene, start, reason=scene.reason)
        await self._own.blobs.pin(start, scene.reason)
        stored = await self._own.blobs.stored(start)
        self._own.notebook.extend(scene.task, VersionNote(version=0, round=0, model=stored.cid))

    def _made(self, scene: Scene) -> CandidateNote | None:
        notes = self._own.notebook.of_round(scene.task, scene.state.rounds - 1)
        found = (one for one in notes.candidates if Cid.decode(one.model).digest == scene.model)
        return next(found, None)

    async def _adopt(self, scene: Scene, made: CandidateNote, *, round_number: int) -> None:
        """Write down the next version; what made it is public from now on, for whoever replays."""
        blobs, version = self._own.blobs, self.known_version(scene.task) + 1
        for root in (Digest(use.root) for use in made.uses):
            if blobs.has(root):
                await blobs.pin(root, scene.version_reason(version))
                await blobs.open_up(root)
        await blobs.pin(Cid.decode(made.model).digest, scene.version_reason(version))
        await blobs.open_up(Cid.decode(made.model).digest)
        for cid in (made.delta, made.state):
            await blobs.pin(Cid.decode(cid).digest, scene.step_reason(version))
        note = VersionNote(
            version=version,
            round=round_number,
            model=made.model,
            delta=made.delta,
            state=made.state,
            uses=made.uses,
        )
        self._own.notebook.extend(scene.task, note)

    async def _replay_one(self, scene: Scene, version: int, on_progress: OnProgress) -> None:
        record = self._own.reader.model(scene.task, version)
        if record is None or len(record.roots) != len(record.weights) or not record.limit:
            raise DutyError(f"the registry does not say how version {version} was made")
        entries = zip(record.contributors, record.roots, record.weights, strict=True)
        uses = tuple(Use(trainer=who, root=root, weight=weight) for who, root, weight in entries)
        for use in uses:
            if not self._own.blobs.has(Digest(use.root)):
                reason = scene.version_reason(version)
                await self._fetch(scene, Digest(use.root), reason=reason)
        made = await self._aggregated(
            scene, uses, round_number=record.round, limit=record.limit, on_progress=on_progress
        )
        actual = Cid.decode(made.model).digest
        if actual != record.model:
            raise HistoryDivergedError(version=version, expected=record.model, actual=actual)
        await self._adopt(scene, made, round_number=record.round)

    async def _aggregated(
        self,
        scene: Scene,
        uses: Sequence[Use],
        *,
        round_number: int,
        limit: int,
        on_progress: OnProgress,
    ) -> CandidateNote:
        """Make the version after the newest one that is known."""
        own, last = self._own, self._own.notebook.history(scene.task).versions[-1]
        inputs = RoundInputs(
            round=round_number,
            updates=[Weighted(await self._stored(use.root), use.weight) for use in uses],
            limit=limit,
            model=await self._stored_cid(last.model),
            state=None if last.state is None else await self._stored_cid(last.state),
        )
        folder = own.notebook.workplace(scene.task, round_number)
        result = await own.work(aggregate_job(scene.document, inputs, folder=folder), on_progress)
        reason = scene.round_reason(round_number)
        for made in (result.model, result.delta, result.state):
            await own.blobs.keep(made, audience=Audience.NOBODY, reason=reason)
        return CandidateNote(
            rung=0,
            model=result.model.cid,
            delta=result.delta.cid,
            state=result.state.cid,
            uses=tuple(uses),
        )

    async def _fetch(self, scene: Scene, blob: Digest, *, reason: str) -> None:
        size_bytes_max = scene.blob_bytes_max
        await self._own.blobs.fetch(blob, size_bytes_max=size_bytes_max, reason=reason)

    async def _stored(self, blob: bytes) -> StoredBlob:
        return await self._own.blobs.stored(Digest(blob))

    async def _stored_cid(self, cid: bytes) -> StoredBlob:
        return await self._stored(Cid.decode(cid).digest)


def _model_reason(scene: Scene, version: int) -> str:
    """Return why a model is kept: the first one for ever, for whoever begins later."""
    return scene.version_reason(version) if version else scene.reason
