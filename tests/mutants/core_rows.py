"""Wrong rules outside the commit rule: what is durable, who is let in, when to propose."""

from typing import Final

from tests.mutants.mutant import Breaks, Mutant

TESTS: Final = "tests/consensus/"

CORE_MUTANTS: Final = (
    Mutant(
        name="broadcast-before-sync",
        file="consensus/outbox.py",
        old="effects: list[Effect] = [*staged.writes]",
        new="effects: list[Effect] = [*staged.broadcasts, *staged.writes]",
        claim="an own block is durable before anybody sees it",
        suites=(TESTS + "test_outbox.py",),
    ),
    Mutant(
        name="journal-not-written",
        file="consensus/outbox.py",
        old="        if staged.journal:\n",
        new="        if staged.journal and not staged.broadcasts:\n",
        claim="the journal holds a round before its block is shown",
        suites=(TESTS + "test_outbox.py",),
    ),
    Mutant(
        name="store-not-synced",
        file="consensus/outbox.py",
        old="        if staged.must_sync:\n",
        new="        if staged.must_sync and not staged.deliveries and not staged.broadcasts:\n",
        claim="commits and own blocks are synced before they are visible",
        suites=(TESTS + "test_outbox.py",),
    ),
    Mutant(
        name="twin-refused-as-ancestor",
        file="consensus/intake.py",
        old="is_needed = ref in self.suspension.wanted or ref in self.required",
        new="is_needed = False",
        claim="a twin that others built on is let in",
        suites=(TESTS + "test_intake.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="certified-block-refused",
        file="consensus/intake.py",
        old="is_needed = ref in self.suspension.wanted or ref in self.required",
        new="is_needed = ref in self.suspension.wanted",
        claim="a block of a certified commit is let in though its slot is taken",
        suites=(TESTS + "test_intake.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="no-round-ceiling",
        file="consensus/intake.py",
        old="if block.ref.round > self.dag.highest_round + self._round_ahead_max:",
        new="if block.ref.round > self.dag.highest_round + 2**62:",
        claim="blocks of the far future stay out",
        suites=(TESTS + "test_intake.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="evicts-lowest-first",
        file="consensus/suspension.py",
        old="farthest = max(mine)",
        new="farthest = min(mine)",
        claim="the block farthest above the frontier goes first",
        suites=(TESTS + "test_suspension.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="timer-before-parents",
        file="consensus/pacemaker.py",
        old="timeout_ms = self.ready_ms(target, now_ms=now_ms) + 2 * self.delta_ms",
        new="timeout_ms = last_proposal_ms + 2 * self.delta_ms",
        claim="the leader timeout starts when the parents are ready, not before",
        suites=(TESTS + "test_pacemaker.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="literal-target",
        file="consensus/pacemaker.py",
        old="max(proposed + 1, min(decided + 3, clock)) if",
        new="max(proposed + 1, decided + 3) if",
        claim="a directly skipped slot does not make everybody wait",
        suites=(TESTS + "test_pacemaker.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="round-jump",
        file="consensus/pacemaker.py",
        old="max(proposed + 1, min(decided + 3, clock)) if decided > 0 else proposed + 1",
        new="clock",
        claim="no round is jumped whose votes may still be needed",
        suites=(TESTS + "test_pacemaker.py",),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="opinions-not-awaited",
        file="consensus/pacemaker.py",
        old="return has_leaders and has_opinions",
        new="return has_leaders",
        claim="a block waits until it can certify or witness a skip",
        suites=(
            "tests/devnet/simulator/validators/test_simulation.py"
            "::test_round_jump_adversary_stalls_the_chain_only_without_the_repair",
        ),
        breaks=Breaks.LIVENESS,
    ),
    Mutant(
        name="vote-digest-unchecked",
        file="consensus/commit_sync.py",
        old="            if own is not None and own != vote.digest:\n",
        new="            if own is not None and own != own:\n",
        claim="a vote for another commit than ours is noticed",
        suites=(TESTS + "test_commit_sync.py",),
    ),
    Mutant(
        name="certificate-digest-unchecked",
        file="consensus/commit_sync.py",
        old="if wanted in block.header.commit_votes:",
        new="if any(vote.index == wanted.index for vote in block.header.commit_votes):",
        claim="only votes for that very digest certify a commit",
        suites=(TESTS + "test_commit_sync.py",),
    ),
)
