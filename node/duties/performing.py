"""Carry out one duty, whatever it is, with what the chain said when it was planned."""

from collections.abc import Awaitable
from typing import Final

from node.duties.duty import Duty, Step
from node.duties.equipment import Equipment
from node.duties.history import History, OnProgress
from node.duties.scene import Scene
from node.duties.trainer import Trainer
from node.duties.validator import Validator
from node.federation.states import RoundState

TRANSACTIONS: Final = frozenset(
    {
        Step.COMMIT_UPDATE,
        Step.REVEAL_UPDATE,
        Step.ATTEST,
        Step.COMMIT_SCORES,
        Step.REVEAL_SCORES,
        Step.VOTE,
        Step.REPORT,
        Step.OPEN_ROUND,
        Step.ADVANCE,
        Step.CLAIM,
    }
)
"""What cannot be called back once it is sent."""


class Performer:
    """Does every step, each by the part that knows how."""

    def __init__(self, equipment: Equipment, *, history: History) -> None:
        self._history = history
        self._trainer = Trainer(equipment)
        self._validator = Validator(equipment, history=history)

    async def perform(self, duty: Duty, scene: Scene, on_progress: OnProgress) -> None:
        """Do one duty.

        Raises:
            HanseError: it was not done.
        """
        running = scene.round
        found = self._of_task(duty, scene, on_progress)
        if found is None and running is not None:
            found = self._of_work(duty, scene, running, on_progress)
            found = found or self._of_trainer(duty, scene, running)
            found = found or self._of_seat(duty, scene, running)
            found = found or self._of_judge(duty, scene, running)
        assert found is not None, f"nobody can {duty.step.value} now"
        await found

    def _of_task(self, duty: Duty, scene: Scene, on_progress: OnProgress) -> Awaitable[None] | None:
        match duty.step:
            case Step.FETCH_MODEL:
                return self._history.fetch_model(scene)
            case Step.REPLAY:
                return self._history.replay(scene, on_progress)
            case Step.OPEN_ROUND:
                return self._validator.open_round(scene)
            case Step.ADVANCE:
                return self._validator.advance(scene)
            case Step.CLAIM:
                return self._trainer.claim(scene)
            case _:
                return None

    def _of_work(
        self, duty: Duty, scene: Scene, running: RoundState, on_progress: OnProgress
    ) -> Awaitable[None] | None:
        match duty.step:
            case Step.TRAIN:
                return self._trainer.train(scene, running, on_progress)
            case Step.JUDGE:
                return self._validator.judge(scene, running, duty, on_progress)
            case Step.AGGREGATE:
                return self._history.aggregate(scene, running, on_progress)
            case Step.EVALUATE:
                return self._validator.evaluate(scene, running, on_progress)
            case _:
                return None

    def _of_trainer(self, duty: Duty, scene: Scene, running: RoundState) -> Awaitable[None] | None:
        match duty.step:
            case Step.OFFER:
                return self._trainer.offer(scene, running)
            case Step.COMMIT_UPDATE:
                return self._trainer.commit(scene, running)
            case Step.REVEAL_UPDATE:
                return self._trainer.reveal(scene, running)
            case _:
                return None

    def _of_seat(self, duty: Duty, scene: Scene, running: RoundState) -> Awaitable[None] | None:
        match duty.step:
            case Step.FETCH_UPDATES:
                return self._validator.fetch_updates(scene, running, duty)
            case Step.FETCH_CANDIDATE:
                return self._history.fetch_candidate(scene, running)
            case Step.ATTEST:
                return self._validator.attest(scene, duty)
            case _:
                return None

    def _of_judge(self, duty: Duty, scene: Scene, running: RoundState) -> Awaitable[None] | None:
        match duty.step:
            case Step.COMMIT_SCORES:
                return self._validator.commit_scores(scene, running)
            case Step.REVEAL_SCORES:
                return self._validator.reveal_scores(scene, running)
            case Step.VOTE:
                return self._validator.vote(scene, running)
            case Step.REPORT:
                return self._validator.report(scene, running)
            case _:
                return None
