"""Do every job as another workshop does it, and say something else about what cannot be checked.

Scores and the guard's measures are a validator's own opinion, so this is where it can lie. Whose
updates are its friends' it reads from the folder of the attackers, by content id.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from devnet.attacks.poisoning.validators import LIES, Ballot, Cartel, Kind
from devnet.attacks.worker.ring import Ring
from fl.jobs.bounds import StoredBlob
from fl.jobs.results import AnyResult, EvaluateResult, Rises, ScoreResult
from fl.jobs.work import AnyJob, EvaluateJob, ScoreJob
from fl.worker.desk import Desk
from fl.worker.loop import Craft

SCORE_MAX = 2**31 - 1


class LyingWorkshop:
    """A workshop that falsifies votes and guard reports.

    Args:
        craft: does the jobs.
        kind: of lie.
        ring: tells which updates are friends'.
    """

    def __init__(self, craft: Craft, *, kind: Kind, ring: Ring) -> None:
        self._craft = craft
        self._lie = LIES[kind]
        self._ring = ring
        self._before: Ballot | None = None

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        """Do one job."""
        result = self._craft.perform(job, desk)
        match job, result:
            case ScoreJob(), ScoreResult():
                return self._scored(job.updates, result)
            case EvaluateJob(), EvaluateResult():
                return self._evaluated(result)
            case _:
                return result

    def _scored(self, updates: Sequence[StoredBlob], result: ScoreResult) -> ScoreResult:
        honest = Ballot(
            alone=tuple(vote.quality for vote in result.votes),
            left_out=tuple(vote.left_out for vote in result.votes),
        )
        known = self._ring.roots()
        friends = frozenset(place for place, blob in enumerate(updates) if blob.cid.hex() in known)
        told = self._lie(honest, Cartel(friends, self._before))
        self._before = honest
        return ScoreResult(
            votes=tuple(
                replace(vote, quality=_bounded(alone), left_out=_bounded(left_out))
                for vote, alone, left_out in zip(
                    result.votes, told.alone, told.left_out, strict=True
                )
            )
        )

    def _evaluated(self, result: EvaluateResult) -> EvaluateResult:
        rises = result.rises
        honest = Ballot((), (), (rises.loss, *rises.classes, *rises.probes))
        told = self._lie(honest, Cartel(frozenset())).changes
        first = 1 + len(rises.classes)
        return EvaluateResult(
            rises=Rises(
                loss=_bounded(told[0]),
                classes=tuple(map(_bounded, told[1:first])),
                probes=tuple(map(_bounded, told[first:])),
            )
        )


def _bounded(value: int) -> int:
    return max(-SCORE_MAX, min(SCORE_MAX, value))
