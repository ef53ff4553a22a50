"""What really happened, as nobody in the simulation can see it: the oracles' book.

Safety: one digest per commit index on all honest nodes, without gaps, no block twice, no honest
key on two blocks of one round (checked on every block that ever verified, which is the wire and
not anybody's memory). A violation raises at once, out of the event that caused it.
"""

from collections import Counter

from consensus.block import Block
from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from consensus.events import AlarmKind, PublishEvidence
from consensus.evidence import verify_evidence
from devnet.simulator.kernel.scheduler import Scheduler
from devnet.simulator.validators.workload import Workload
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch, Round

FATAL_ALARMS = (AlarmKind.CERTIFIED_TWINS, AlarmKind.COMMIT_MISMATCH)

Height = tuple[Epoch, CommitIndex]


class ViolationError(Exception):
    """An invariant broke; the message says which, where and when."""


class Ledger:
    """Follows every honest node's commits and every block anybody signed."""

    def __init__(self, scheduler: Scheduler, *, honest: tuple[int, ...]) -> None:
        self._scheduler = scheduler
        self.honest = honest
        self.workload = Workload()
        self.reports: Counter[str] = Counter()
        self.alarms: Counter[AlarmKind] = Counter()
        self.equivocators: dict[tuple[Epoch, AuthorityIndex], None] = {}
        self.latencies_us: list[int] = []
        self.leader_latencies_us: list[int] = []
        self.hops: list[int] = []
        self.newest_epoch = Epoch(0)
        self.commits: dict[Height, Digest] = {}
        self.heights: dict[int, Height] = dict.fromkeys(honest, (Epoch(0), CommitIndex(0)))
        self.advanced_us: dict[int, list[int]] = {node: [] for node in honest}
        self._last_index: dict[Epoch, CommitIndex] = {}
        self._closed_at: dict[Epoch, CommitIndex] = {}
        self._committed: dict[Digest, None] = {}
        self._signed: dict[tuple[Epoch, Round, AuthorityIndex], Digest] = {}
        self._proposed_us: dict[Digest, int] = {}

    def note_block(self, context: EpochContext, block: Block) -> None:
        """Check a block that just verified for the first time in this process."""
        if block.author not in self.honest:
            return
        slot = (context.epoch, block.round, block.author)
        known = self._signed.setdefault(slot, block.ref.digest)
        if known != block.ref.digest:
            self._violate(f"honest node {block.author} signed round {block.round} twice")

    def note_proposal(self, node: int, block: Block, now_us: int) -> None:
        """Note when an own block first left an honest node."""
        if node in self.honest:
            self._proposed_us.setdefault(block.ref.digest, now_us)

    def deliver(self, node: int, context: EpochContext, sub_dag: CommittedSubDag) -> None:
        """Check a commit that an honest node's executor received."""
        if node not in self.honest:
            return
        epoch, index = context.epoch, sub_dag.index
        self._scheduler.trace("commit", node, sub_dag.digest[:8])
        height = (epoch, index)
        self._check_height(node, height)
        known = self.commits.setdefault(height, sub_dag.digest)
        if known != sub_dag.digest:
            self._violate(
                f"node {node} committed {sub_dag.digest.hex()[:8]} at epoch {epoch} "
                f"index {index}, others {known.hex()[:8]}"
            )
        if index > self._last_index.get(epoch, CommitIndex(0)):
            self._extend(epoch, sub_dag)
        if height > self.heights[node]:
            self.heights[node] = height
            self.advanced_us[node].append(self._scheduler.now_us)
        self.workload.note_commit(sub_dag, node=node, now_us=self._scheduler.now_us)

    def note_latency(self, node: int, clock_round: Round, sub_dag: CommittedSubDag) -> None:
        """Measure own blocks of a commit from their proposal to their delivery at home."""
        for block in sub_dag.blocks:
            if block.author != node:
                continue
            proposed_us = self._proposed_us.pop(block.ref.digest, None)
            if proposed_us is not None:
                latency_us = self._scheduler.now_us - proposed_us
                self.latencies_us.append(latency_us)
                if block.ref == sub_dag.commit.leader:
                    self.leader_latencies_us.append(latency_us)
                self.hops.append(clock_round - block.round)

    def note_evidence(self, node: int, context: EpochContext, effect: PublishEvidence) -> None:
        """Check that evidence convicts, and convicts no honest node."""
        ref = verify_evidence(effect.evidence, context)
        if ref.author in self.honest or ref.author != effect.author:
            self._violate(f"node {node} published evidence against {ref.author}")
        self.equivocators[context.epoch, ref.author] = None

    def note_returned(self, node: int, items: tuple[bytes, ...]) -> None:
        """Note payload that came back to its submitter."""
        self.workload.note_returned(node, items)

    def note_report(self, node: int, peer: int, reason: str) -> None:
        """Note that a node blamed a peer."""
        self.reports[reason.partition(":")[0]] += 1
        if node in self.honest and peer in self.honest and not self.is_corrupting:
            self._violate(f"honest node {node} blames honest node {peer}: {reason}")

    def note_alarm(self, node: int, kind: AlarmKind) -> None:
        """Note an alarm; some can only mean that safety is lost."""
        self.alarms[kind] += 1
        if node in self.honest and kind in FATAL_ALARMS:
            self._violate(f"node {node} raised {kind.name}")

    is_corrupting = False
    """Whether the network flips bits, so that an honest peer's bytes may be bad."""

    def wipe(self, node: int) -> None:
        """Let a node that lost its disk start over: it will deliver everything again."""
        self.heights[node] = (Epoch(0), CommitIndex(0))

    def _check_height(self, node: int, height: Height) -> None:
        """Require the next height, one delivered before (redelivery), or a new epoch's first."""
        epoch, index = height
        last_epoch, last_index = self.heights[node]
        if height <= (last_epoch, CommitIndex(last_index + 1)):
            return
        if epoch == last_epoch + 1 and index == 1:
            return
        self._violate(f"node {node} delivered {height} after {(last_epoch, last_index)}")

    def _extend(self, epoch: Epoch, sub_dag: CommittedSubDag) -> None:
        self.newest_epoch = max(self.newest_epoch, epoch)
        self._last_index[epoch] = sub_dag.index
        for block in sub_dag.blocks:
            if block.ref.digest in self._committed:
                self._violate(f"block {block.ref} was committed twice")
            self._committed[block.ref.digest] = None

    def _violate(self, what: str) -> None:
        raise ViolationError(f"at {self._scheduler.now_us / 1_000_000:.3f} s: {what}")
