"""The wrong rules, one row each; the first eight are the measured table of section 5.3.

A row is added here, and nowhere else. `old` must occur exactly once in its file.
"""

from typing import Final

from tests.mutants.core_rows import CORE_MUTANTS
from tests.mutants.mutant import Mutant

COMMITTER: Final = "consensus/committer.py"
DAG: Final = "consensus/dag.py"
LINEARIZER: Final = "consensus/linearizer.py"
ORDERING: Final = "consensus/ordering.py"
SCHEDULE: Final = "consensus/schedule.py"

SITUATIONS: Final = "tests/consensus/committer/"
DIFFERENTIAL: Final = "tests/consensus/committer/test_differential.py"
TWINS: Final = "tests/devnet/simulator/twins/test_enumerator.py"

MUTANTS: Final = (
    Mutant(
        name="commit-on-votes",
        file=COMMITTER,
        old="for bit, authors in slot.certifiers.items():",
        new="for bit, authors in ((b, voting.authors_of(v)) for b, v in slot.voters.items()):",
        claim="a quorum of certificates commits, not a quorum of votes (three rounds)",
        suites=(DIFFERENTIAL, SITUATIONS + "test_partial_round.py", TWINS),
    ),
    Mutant(
        name="votes-for-the-slot",
        file=COMMITTER,
        old="""\
                bit = voted.bit_length() - 1
                self.voters[bit] = self.voters.get(bit, 0) | 1 << vertex.bit
""",
        new="""\
                for bit in (candidate.bit for candidate in candidates):
                    self.voters[bit] = self.voters.get(bit, 0) | 1 << vertex.bit
""",
        claim="a vote is for the exact block, not for its slot",
        suites=(DIFFERENTIAL, SITUATIONS + "test_equivocation.py", TWINS),
    ),
    Mutant(
        name="skip-on-validity",
        file=COMMITTER,
        old="if committee.is_quorum(slot.blames):",
        new="if committee.power_of(slot.blames) >= committee.validity:",
        claim="only a quorum of blames skips, f + 1 do not",
        suites=(DIFFERENTIAL, SITUATIONS + "test_direct_skip.py", TWINS),
    ),
    Mutant(
        name="blames-count-blocks",
        file=COMMITTER,
        old="self.blames |= 1 << vertex.author",
        new="self.blames |= 1 << vertex.bit",
        claim="distinct authors blame, not blocks",
        suites=(DIFFERENTIAL, SITUATIONS + "test_equivocation.py"),
    ),
    Mutant(
        name="certificates-count-blocks",
        file=COMMITTER,
        old="self.certifiers[bit] = self.certifiers.get(bit, 0) | 1 << vertex.author",
        new="self.certifiers[bit] = self.certifiers.get(bit, 0) | 1 << vertex.bit",
        claim="distinct authors certify, not blocks",
        suites=(DIFFERENTIAL, SITUATIONS + "test_equivocation.py"),
    ),
    Mutant(
        name="certificate-of-validity",
        file=COMMITTER,
        old="if committee.is_quorum(voting.authors_of(vertex.parents & voters)):",
        new="if committee.power_of(voting.authors_of(vertex.parents & voters))"
        " >= committee.validity:",
        claim="a certificate needs a quorum of votes, not f + 1",
        suites=(DIFFERENTIAL, SITUATIONS + "test_partial_round.py"),
    ),
    Mutant(
        name="commit-on-one-certificate",
        file=COMMITTER,
        old="if committee.is_quorum(authors):",
        new="if authors:",
        claim="one certificate commits only through an anchor",
        suites=(DIFFERENTIAL, SITUATIONS + "test_late.py"),
    ),
    Mutant(
        name="anchor-passes-over-undecided",
        file=COMMITTER,
        old="""\
                self._settle(number, slot, anchor.leader)
            return
""",
        new="""\
                self._settle(number, slot, anchor.leader)
                return
""",
        claim="the search for the anchor stops at the first slot that is not skipped",
        suites=(DIFFERENTIAL, SITUATIONS + "test_indirect_commit.py"),
    ),
    Mutant(
        name="anchor-two-rounds-above",
        file=COMMITTER,
        old="if anchor_round < number + WAVE_LENGTH:",
        new="if anchor_round < number + WAVE_LENGTH - 1:",
        claim="an anchor is at least three rounds above (the bound of M2 is tight)",
        suites=(DIFFERENTIAL, SITUATIONS + "test_indirect_commit.py"),
    ),
    Mutant(
        name="cursor-stays-on-skips",
        file=COMMITTER,
        old="        self.cursor = (decision.round, decision.offset)\n",
        new="        if decision.leader is not None:\n"
        "            self.cursor = (decision.round, decision.offset)\n",
        claim="the cursor moves over skips, or trailing skips come out again",
        suites=(DIFFERENTIAL, SITUATIONS + "test_trailing_skip.py"),
    ),
    Mutant(
        name="pacemaker-swallows-votes",
        file=COMMITTER,
        old="        # Judge even if nothing is new: `has_opinion_quorum` may have counted the last"
        " votes.\n",
        new="        else:\n            return\n",
        claim="a question of the pacemaker changes no decision",
        suites=(SITUATIONS + "test_idempotence.py",),
    ),
    Mutant(
        name="twin-bits-not-folded",
        file=DAG,
        old="            if twins >> place & 1:\n",
        new="            if False:\n",
        claim="a twin's vote has the power of its author",
        suites=(DIFFERENTIAL, SITUATIONS + "test_equivocation.py", TWINS),
    ),
    Mutant(
        name="weak-links-not-followed",
        file=DAG,
        old="            for weak_round, weak_bit in vertex.weak:\n",
        new="            for weak_round, weak_bit in ():\n",
        claim="a cone holds what weak links reach",
        suites=(DIFFERENTIAL, SITUATIONS + "test_indirect_commit.py"),
    ),
    Mutant(
        name="digest-not-in-the-order",
        file=DAG,
        old="    return vertex.author, vertex.digest\n",
        new='    return vertex.author, Digest(b"")\n',
        claim="twins are delivered in an order that arrival does not change",
        suites=(DIFFERENTIAL, "tests/consensus/test_dag.py", TWINS),
    ),
    Mutant(
        name="gc-by-local-frontier",
        file=LINEARIZER,
        old="max(0, self.leader_round - self._context",
        new="max(0, self._dag.highest_round - self._context",
        claim="the GC round is a function of the commit chain, not of what this node has",
        suites=(DIFFERENTIAL, "tests/consensus/test_linearizer.py"),
    ),
    Mutant(
        name="floor-from-local-gc",
        file=LINEARIZER,
        old="return Round(max(0, self.leader_round - self._context.parameters.gc_depth))",
        new="return self._dag.gc_round",
        claim="the floor of a commit does not depend on when this node collects",
        suites=(DIFFERENTIAL, "tests/consensus/test_linearizer.py"),
    ),
    Mutant(
        name="leader-tells-the-time",
        file=LINEARIZER,
        old="(vertex.block for vertex in parents),",
        new="[leader.block],",
        claim="commit time is the median over a quorum, not what the leader says",
        suites=(DIFFERENTIAL, "tests/consensus/test_linearizer.py"),
    ),
    Mutant(
        name="decided-past-the-boundary",
        file=ORDERING,
        old="""\
leaders=self.schedule.leaders)
        self._forget_decisions()
""",
        new="""\
leaders=self.schedule.leaders)
""",
        claim="nothing decided with the old schedule survives its boundary",
        suites=("tests/consensus/test_ordering.py",),
    ),
    Mutant(
        name="boundary-round-reused",
        file=ORDERING,
        old="        self.committer.restart_after(leader.round, leaders",
        new="        self.committer.restart_after(Round(leader.round - 1), leaders",
        claim="a new schedule starts in the round after the boundary leader",
        suites=("tests/consensus/test_ordering.py",),
    ),
    Mutant(
        name="schedule-before-its-boundary",
        file=ORDERING,
        old="        if sub_dag.index % self._window != 0:\n",
        new="        if (sub_dag.index + 1) % self._window != 0:\n",
        claim="a schedule is used from its boundary commit on, not before",
        suites=("tests/consensus/test_ordering.py",),
    ),
    Mutant(
        name="leader-drawn-twice",
        file=SCHEDULE,
        old="                    candidates.remove(author)\n",
        new="",
        claim="the leaders of a round are distinct authors",
        suites=("tests/consensus/test_schedule.py",),
    ),
    Mutant(
        name="excluded-beyond-f",
        file=SCHEDULE,
        old="if power + committee.powers[author] <= committee.faulty_power_max:",
        new="if power <= committee.faulty_power_max:",
        claim="no more than f power is excluded from leading",
        suites=("tests/consensus/test_reputation.py",),
    ),
    Mutant(
        name="equivocator-keeps-its-score",
        file=SCHEDULE,
        old="0 if self._equivocators >> author & 1 else self._votes[author]",
        new="self._votes[author]",
        claim="an equivocator of the window has score zero",
        suites=("tests/consensus/test_reputation.py",),
    ),
    Mutant(
        name="votes-at-the-floor-count",
        file=SCHEDULE,
        old="            if vertex.round - 1 > floor:\n",
        new="            if vertex.round > floor:\n",
        claim="votes for what GC may have taken from one node count at none",
        suites=("tests/consensus/test_reputation.py",),
    ),
    *CORE_MUTANTS,
)
