"""What no Twins scenario may show: two orders, a double sign, an alarm, blame on the honest."""

from consensus.block import Block
from consensus.commit import CommittedSubDag
from consensus.events import RaiseAlarm, ReportPeer
from devnet.simulator.twins.cast import Cast
from devnet.simulator.validators.ledger import ViolationError
from primitives.ids import AuthorityIndex, Digest, Round


class NoProgressError(Exception):
    """An honest instance committed nothing new after the partitions; the message says which."""


class Oracle:
    """Compares the honest instances after every effect; raises at the first difference.

    Attributes:
        leader_rounds: by honest instance, the round of its newest committed leader.
        twin_rounds: rounds that a doubled validator signed twice.
    """

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._commits: list[Digest] = []
        self._listed: dict[Digest, None] = {}
        self._heights = [0] * cast.honest_count
        self._signed: dict[tuple[Round, AuthorityIndex], Digest] = {}
        self.leader_rounds = [Round(0)] * cast.honest_count
        self.twin_rounds = 0

    @property
    def commit_count(self) -> int:
        """Return how many commits some honest instance has delivered."""
        return len(self._commits)

    def note_delivery(self, author: AuthorityIndex, sub_dag: CommittedSubDag) -> None:
        """Check that all honest instances deliver one sequence, and no block twice."""
        if not self._cast.is_honest(author):
            return
        self._heights[author] += 1
        height = self._heights[author]
        if sub_dag.index != height:
            raise ViolationError(f"{author} delivered commit {sub_dag.index} in place {height}")
        self.leader_rounds[author] = sub_dag.commit.leader.round
        if height > len(self._commits):
            self._extend(sub_dag)
        known = self._commits[height - 1]
        if known != sub_dag.digest:
            raise ViolationError(
                f"{author} committed {sub_dag.digest.hex()[:8]} at index {height}, "
                f"others {known.hex()[:8]}"
            )

    def note_block(self, block: Block) -> None:
        """Check that an honest validator signs one block a round; count what twins do."""
        slot = (block.round, block.author)
        known = self._signed.setdefault(slot, block.ref.digest)
        if known == block.ref.digest:
            return
        if self._cast.is_honest(block.author):
            raise ViolationError(f"honest {block.author} signed round {block.round} twice")
        self.twin_rounds += 1

    def note_alarm(self, author: AuthorityIndex, alarm: RaiseAlarm) -> None:
        """Refuse every alarm of an honest instance: each says that safety is lost."""
        if self._cast.is_honest(author):
            raise ViolationError(f"{author} raised {alarm.kind.name}: {alarm.detail}")

    def note_report(self, author: AuthorityIndex, report: ReportPeer) -> None:
        """Refuse blame: not even the twins send anything invalid here."""
        if self._cast.is_honest(author):
            raise ViolationError(f"{author} blames {report.peer}: {report.reason}")

    def _extend(self, sub_dag: CommittedSubDag) -> None:
        self._commits.append(sub_dag.digest)
        for block in sub_dag.blocks:
            if block.ref.digest in self._listed:
                raise ViolationError(f"block {block.ref} was committed twice")
            self._listed[block.ref.digest] = None
