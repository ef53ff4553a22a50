"""Follow a model from version to version: its blobs, what was added, the state of its optimiser.

A validator that took part has all of it from its own aggregates. One that did not makes it again
from the registry and the updates that went in, and refuses to go on from another result. It begins
with the newest version after which all that facts depend on was made, since nobody need keep what
went in before; only an optimiser with a memory has to be followed from W_0 on.

Guards: a version is made from the one before it and enters once, whoever adopts it at the same
time; what facts are found with is the same for a seat that came late as for all others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from fl.jobs.bounds import StoredBlob
from fl.jobs.progress import Progress
from fl.jobs.work import EARLIER_MAX, Weighted
from fl.rules.aggregation.outer import OuterRule
from fl.rules.limits import HALVINGS
from fl.rules.update.similarity import GLOBAL_DELTAS_MAX
from node.blobs.errors import BlobUnavailableError
from node.duties.equipment import Equipment
from node.duties.errors import DutyError, HistoryDivergedError
from node.duties.notes import (
    VERSIONS_KEPT,
    CandidateNote,
    RoundNotes,
    Use,
    VersionNote,
)
from node.duties.ports import Audience
from node.duties.scene import Scene
from node.federation.jobs import RoundInputs, aggregate_job
from node.federation.states import ModelRecord, RoundState
from primitives.cid import Cid
from primitives.ids import Digest

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """How a model is made.

    Args:
        version: of what comes out.
        uses: what goes in, beside the version before.
        limit: the norm to which that is cut.
        halvings: how often the step is halved.
    """

    version: int
    round: int
    uses: tuple[Use, ...]
    limit: int
    halvings: int


class History:
    """The versions of the models that this node follows."""

    def __init__(self, equipment: Equipment) -> None:
        self._own = equipment
        self._beyond_reach: set[int] = set()

    def known_version(self, task: int) -> int:
        """Return the newest version that is here with delta and state; -1: not even the first."""
        versions = self._own.notebook.history(task).versions
        return versions[-1].version if versions else -1

    def is_beyond_reach(self, task: int) -> bool:
        """Tell whether nobody gave what this node lacks of the past of a model, when it asked."""
        return task in self._beyond_reach

    async def follow(self, scene: Scene) -> None:
        """Take over the newest version, if it is what this node computed, or the first."""
        version, known = scene.state.version, self.known_version(scene.task)
        if known >= version or not self._own.blobs.has(scene.model):
            return
        if version == 0:
            await self._begin(scene, 0)
        elif known == version - 1:
            made = self._made(scene)
            if made is not None:
                number = scene.state.rounds - 1
                await self._adopt(scene, made, version=version, round_number=number)

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
        recipe = _Recipe(
            version=scene.state.version + 1,
            round=running.number,
            uses=uses,
            limit=scene.state.clip,
            halvings=HALVINGS[running.rung],
        )
        made = await self._made_by(scene, recipe, on_progress)
        note = replace(made, rung=running.rung)
        await self._own.blobs.open_up(Cid.decode(note.model).digest)

        def change(notes: RoundNotes) -> RoundNotes:
            others = (one for one in notes.candidates if one.rung != note.rung)
            return replace(notes, candidates=(*others, note))

        self._own.notebook.note(scene.task, running.number, change)

    async def replay(self, scene: Scene, on_progress: OnProgress) -> None:
        """Make every version again that this node has missed and that is needed.

        Raises:
            HistoryDivergedError: the rules give another model than the registry has.
            DutyError: the registry does not say enough.
            BlobUnavailableError: nobody gave what it takes.
        """
        task = scene.task
        try:
            beginning = self._beginning(scene)
            if self.known_version(task) < beginning:
                await self._begin(scene, beginning)
            while (version := self.known_version(task) + 1) <= scene.state.version:
                await self._replay_one(scene, version, on_progress)
        except BlobUnavailableError:
            self._beyond_reach.add(task)
            raise
        self._beyond_reach.discard(task)

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
        # The first note has a model and not what made it.
        changed = [one for one in versions if one.delta and layout_of(one.round) == layout]
        return changed[-GLOBAL_DELTAS_MAX:]

    def _beginning(self, scene: Scene) -> int:
        """Return after which version all those come that facts about the next updates need."""
        if scene.document.outer.rule is not OuterRule.PLAIN:
            return 0
        version = scene.state.version
        oldest = max(0, version - VERSIONS_KEPT)
        lacking = dict.fromkeys(scene.document.layouts, GLOBAL_DELTAS_MAX)
        while version > oldest and any(count > 0 for count in lacking.values()):
            record = self._record(scene, version)
            lacking[scene.document.layout_of(record.round)] -= 1
            version -= 1
        return version

    async def _begin(self, scene: Scene, version: int) -> None:
        """Take a version over as the chain names it, whatever it was made of."""
        record = self._record(scene, version) if version else None
        model = Digest(scene.document.start if record is None else record.model)
        reason = _model_reason(scene, version)
        if not self._own.blobs.has(model):
            await self._fetch(scene, model, reason=reason)
        await self._own.blobs.pin(model, reason)
        stored = await self._own.blobs.stored(model)
        round_number = 0 if record is None else record.round
        note = VersionNote(version=version, round=round_number, model=stored.cid)
        self._own.notebook.extend(scene.task, note)

    def _record(self, scene: Scene, version: int) -> ModelRecord:
        record = self._own.reader.model(scene.task, version)
        if record is None or len(record.roots) != len(record.weights) or not record.limit:
            raise DutyError(f"the registry does not say how version {version} was made")
        return record

    def _made(self, scene: Scene) -> CandidateNote | None:
        notes = self._own.notebook.of_round(scene.task, scene.state.rounds - 1)
        found = (one for one in notes.candidates if Cid.decode(one.model).digest == scene.model)
        return next(found, None)

    async def _adopt(
        self, scene: Scene, made: CandidateNote, *, version: int, round_number: int
    ) -> None:
        """Write down a version; what made it is public from now on, for whoever replays."""
        blobs = self._own.blobs
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
        record = self._record(scene, version)
        entries = zip(record.contributors, record.roots, record.weights, strict=True)
        uses = tuple(Use(trainer=who, root=root, weight=weight) for who, root, weight in entries)
        for use in uses:
            if not self._own.blobs.has(Digest(use.root)):
                reason = scene.version_reason(version)
                await self._fetch(scene, Digest(use.root), reason=reason)
        recipe = _Recipe(
            version=version,
            round=record.round,
            uses=uses,
            limit=record.limit,
            halvings=record.halvings,
        )
        made = await self._made_by(scene, recipe, on_progress)
        actual = Cid.decode(made.model).digest
        if actual != record.model:
            raise HistoryDivergedError(version=version, expected=record.model, actual=actual)
        await self._adopt(scene, made, version=version, round_number=record.round)

    async def _made_by(
        self, scene: Scene, recipe: _Recipe, on_progress: OnProgress
    ) -> CandidateNote:
        """Make a model and keep it, whether or not it becomes a version."""
        own, last = self._own, self._known(scene, recipe.version - 1)
        inputs = RoundInputs(
            round=recipe.round,
            updates=[Weighted(await self._stored(use.root), use.weight) for use in recipe.uses],
            limit=recipe.limit,
            halvings=recipe.halvings,
            model=await self._stored_cid(last.model),
            state=None if last.state is None else await self._stored_cid(last.state),
        )
        folder = own.notebook.workplace(scene.task, recipe.round)
        result = await own.work(aggregate_job(scene.document, inputs, folder=folder), on_progress)
        reason = scene.round_reason(recipe.round)
        for made in (result.model, result.delta, result.state):
            await own.blobs.keep(made, audience=Audience.NOBODY, reason=reason)
        return CandidateNote(
            rung=0,
            model=result.model.cid,
            delta=result.delta.cid,
            state=result.state.cid,
            uses=recipe.uses,
        )

    def _known(self, scene: Scene, version: int) -> VersionNote:
        versions = self._own.notebook.history(scene.task).versions
        found = next((one for one in versions if one.version == version), None)
        if found is None:
            raise DutyError(f"version {version} is not known here")
        return found

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
