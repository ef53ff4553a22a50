"""The duties of a trainer: train, commit, offer the update to those who have seats, reveal."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from msgspec.structs import replace

from fl.jobs.progress import Progress
from fl.jobs.results import TrainResult
from fl.jobs.work import TrainJob
from node.blobs.errors import BlobRoomError
from node.duties.equipment import Equipment
from node.duties.errors import LostResultError
from node.duties.notes import UpdateNote
from node.duties.ports import Audience
from node.duties.salts import Purpose
from node.duties.scene import Scene
from node.duties.verdicts import rest_ms
from node.federation import calls
from node.federation.commitments import update_commitment
from node.federation.states import RoundState
from node.storage.errors import DiskReserveError
from primitives.cid import Cid
from primitives.ids import Address, Digest, Height

_log: Final = structlog.get_logger("node.duties")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An update and those who may read it."""

    task: int
    round: int
    root: Digest
    trainer: Address
    seats: tuple[Address, ...]

    @classmethod
    def of(cls, scene: Scene, running: RoundState, *, root: bytes, trainer: Address) -> "Sealed":
        """Return what names an update of a round."""
        return cls(
            task=scene.task,
            round=running.number,
            root=Digest(root),
            trainer=trainer,
            seats=tuple(seat.address for seat in running.seats),
        )


class Trainer:
    """Does what a trainer must."""

    def __init__(self, equipment: Equipment) -> None:
        self._own = equipment

    async def train(
        self, scene: Scene, running: RoundState, on_progress: Callable[[Progress], None]
    ) -> None:
        """Train on own examples, and keep the update for oneself."""
        own, learning = self._own, self._own.learning
        assert learning.train is not None, "who trains has examples"
        weights = await own.blobs.stored(scene.model)
        job = TrainJob(
            subject=scene.subject(learning, weights=weights),
            round=running.number,
            examples=scene.examples(learning.train),
            terms=scene.document.local,
            folder=str(own.notebook.workplace(scene.task, running.number)),
        )
        await self._keep(scene, running, await own.work(job, on_progress))

    async def _keep(self, scene: Scene, running: RoundState, result: TrainResult) -> None:
        """Keep an update; wait for room as long as it takes, since training takes longer."""
        own, failures, is_kept = self._own, 0, False
        reason = scene.round_reason(running.number)
        note = UpdateNote(
            cid=result.update.cid,
            norm=result.norm,
            losses_micronats=result.losses_micronats,
            steps=result.steps,
            samples=result.samples,
        )
        while True:
            try:
                if not is_kept:
                    await own.blobs.keep(result.update, audience=Audience.NOBODY, reason=reason)
                    is_kept = True
                own.notebook.note(
                    scene.task, running.number, lambda notes: replace(notes, update=note)
                )
            except (DiskReserveError, BlobRoomError, OSError) as error:
                failures += 1
                if failures == 1:
                    place = {"task": scene.task, "round": running.number}
                    _log.warning("finished update waits for room", **place, error=str(error))
            else:
                return
            await asyncio.sleep(rest_ms(failures) / 1_000)

    async def commit(self, scene: Scene, running: RoundState) -> None:
        """Commit to the update and put down the bond."""
        salt = self._own.salts.salt(scene.task, running.number, Purpose.UPDATE)
        commitment = update_commitment(
            scene.task,
            running.number,
            trainer=self._own.who,
            root=self._root(scene, running),
            salt=salt,
        )
        bond = scene.terms.bond
        await self._own.call(scene, calls.commit(scene.task, commitment=commitment, bond=bond))

    async def offer(self, scene: Scene, running: RoundState) -> None:
        """Let those who have seats get the update, and nobody else."""
        root = self._root(scene, running)
        sealed = Sealed.of(scene, running, root=root, trainer=self._own.who)
        await self._own.blobs.offer(sealed)

    async def reveal(self, scene: Scene, running: RoundState) -> None:
        """Open the commitment."""
        root = self._root(scene, running)
        salt = self._own.salts.salt(scene.task, running.number, Purpose.UPDATE)
        await self._own.call(scene, calls.reveal(scene.task, root=root, salt=salt))

    async def claim(self, scene: Scene) -> None:
        """Have paid what has vested."""
        at = Height(scene.member.registered_at)
        await self._own.call(scene, calls.claim(scene.task, who=self._own.who, registered_at=at))

    def _root(self, scene: Scene, running: RoundState) -> Digest:
        note = self._own.notebook.of_round(scene.task, running.number).update
        if note is None:
            raise LostResultError(f"the update of round {running.number} is not here")
        return Cid.decode(note.cid).digest
