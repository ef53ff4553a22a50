"""What the nodes of a devnet delivered: the executor's end, agreement, and figures.

Guards: every commit of every node is compared with the others', so two nodes that disagree on
one commit are found out however far they go on.
"""

from collections import Counter, deque

from consensus.block import Block
from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from consensus.events import PayloadReturned, RaiseAlarm, ReportPeer
from consensus.ports import Notice
from primitives.clock import Clock
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch, Round

LATENCIES_MAX = 10_000
Place = tuple[Digest, CommitIndex]


class Agreement:
    """Compares the commits of all nodes, and forgets what everybody has delivered.

    Attributes:
        commits_count: commits that every node delivered, all with one digest.
        last_digest: digest of the last one of those.
        conflict: the first disagreement, in words.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._open: dict[Place, list[tuple[AuthorityIndex, Digest]]] = {}
        self.commits_count = 0
        self.last_digest: Digest | None = None
        self.conflict: str | None = None

    def note(self, node: AuthorityIndex, context: EpochContext, sub_dag: CommittedSubDag) -> None:
        """Compare a commit that a node delivered."""
        place = context.genesis_digest, sub_dag.index
        claims = self._open.setdefault(place, [])
        for other, digest in claims:
            if digest != sub_dag.digest and self.conflict is None:
                self.conflict = (
                    f"epoch {context.epoch} commit {sub_dag.index}: node {other} has "
                    f"{digest.hex()[:16]}, node {node} has {sub_dag.digest.hex()[:16]}"
                )
        claims.append((node, sub_dag.digest))
        if len(claims) == self._size:
            del self._open[place]
            self.commits_count += 1
            self.last_digest = sub_dag.digest


class NodeRecord:
    """The figures of one node; commits from before `since_ms` were delivered by an earlier run.

    Attributes:
        finality_ms: proposal to delivery of own blocks, the latest of them.
    """

    def __init__(self, node: AuthorityIndex, agreement: Agreement, *, clock: Clock) -> None:
        self.node = node
        self.epoch = Epoch(0)
        self.round = Round(0)
        self.commits_count = 0
        self.payload_count = 0
        self.returned_count = 0
        self.reports_count = 0
        self.alarms: Counter[str] = Counter()
        self.finality_ms: deque[int] = deque(maxlen=LATENCIES_MAX)
        self._agreement = agreement
        self._clock = clock
        self._since_ms = clock.wall_ms()

    def deliver(self, context: EpochContext, sub_dag: CommittedSubDag) -> None:
        """Count a commit."""
        self._agreement.note(self.node, context, sub_dag)
        self.epoch = context.epoch
        self.round = sub_dag.commit.leader.round
        if sub_dag.commit.timestamp_ms < self._since_ms:
            return
        self.commits_count += 1
        for block in sub_dag.blocks:
            if block.ref not in sub_dag.commit.void:
                self._count(block)

    def notify(self, notice: Notice) -> None:
        """Count what is not a commit."""
        match notice:
            case RaiseAlarm():
                self.alarms[notice.kind.name] += 1
            case ReportPeer():
                self.reports_count += 1
            case PayloadReturned():
                self.returned_count += len(notice.items)
            case _:
                pass

    def _count(self, block: Block) -> None:
        self.payload_count += len(block.signed.payload)
        if block.author == self.node:
            self.finality_ms.append(self._clock.wall_ms() - block.header.timestamp_ms)


class EpochSink:
    """Implements `consensus.ports.CommitSink` for one node and epoch; executes nothing."""

    def __init__(self, record: NodeRecord, context: EpochContext) -> None:
        self._record = record
        self._context = context
        self._last_index = CommitIndex(0)

    async def deliver(self, sub_dag: CommittedSubDag) -> None:
        """Count a commit."""
        assert sub_dag.index == self._last_index + 1, "a gap in the deliveries"
        self._last_index = sub_dag.index
        self._record.deliver(self._context, sub_dag)

    async def notify(self, notice: Notice) -> None:
        """Count a notice."""
        self._record.notify(notice)

    def last_index(self) -> CommitIndex:
        """Return the last commit that this process executed."""
        return self._last_index
