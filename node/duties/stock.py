"""Take stock: what this node has of a task and of its running round."""

from collections.abc import Mapping

from node.duties.duty import Step
from node.duties.equipment import Equipment
from node.duties.history import History
from node.duties.notes import RoundNotes
from node.duties.scene import Scene
from node.duties.situation import Belongings
from node.duties.trainer import Sealed
from node.federation.states import RoundState
from primitives.cid import Cid
from primitives.ids import Digest


class Stock:
    """Knows where everything is that a step may have left."""

    def __init__(self, equipment: Equipment, *, history: History) -> None:
        self._own = equipment
        self._history = history

    def taken(
        self,
        scene: Scene,
        *,
        given_up: frozenset[Step] = frozenset(),
        idle_since_ms: int = 0,
        empty_rounds: int = 0,
    ) -> Belongings:
        """Return what is here."""
        blobs, running = self._own.blobs, scene.round
        anyway = Belongings(
            has_model=blobs.has(scene.model),
            known_version=self._history.known_version(scene.task),
            is_history_beyond_reach=self._history.is_beyond_reach(scene.task),
            given_up=given_up,
            idle_since_ms=idle_since_ms,
            empty_rounds=empty_rounds,
        )
        return anyway if running is None else self._of_round(anyway, scene, running)

    def _of_round(self, anyway: Belongings, scene: Scene, running: RoundState) -> Belongings:
        blobs = self._own.blobs
        notes = self._own.notebook.of_round(scene.task, running.number)
        root = self._update_root(notes)
        sealed = Sealed.of(scene, running, root=root, trainer=self._own.who)
        aggregate = Digest(running.aggregate or b"")
        report = notes.report(running.rung, running.aggregate or notes.candidate(running.rung))
        roots = {one.root for one in running.updates if one.root is not None}
        return Belongings(
            has_model=anyway.has_model,
            known_version=anyway.known_version,
            is_history_beyond_reach=anyway.is_history_beyond_reach,
            update_root=root,
            is_offered=bool(root) and blobs.is_offered(sealed),
            holdings=frozenset(one for one in roots if blobs.has(Digest(one))),
            has_card=bool(notes.card),
            candidates=self._candidates(notes),
            has_aggregate=bool(aggregate) and blobs.has(aggregate),
            reports=frozenset() if report is None else frozenset({running.rung}),
            given_up=anyway.given_up,
            idle_since_ms=anyway.idle_since_ms,
            empty_rounds=anyway.empty_rounds,
        )

    def _update_root(self, notes: RoundNotes) -> bytes:
        if notes.update is None:
            return b""
        root = Cid.decode(notes.update.cid).digest
        return root if self._own.blobs.has(root) else b""

    def _candidates(self, notes: RoundNotes) -> Mapping[int, bytes]:
        found = {one.rung: Cid.decode(one.model).digest for one in notes.candidates}
        return {rung: model for rung, model in found.items() if self._own.blobs.has(model)}
