"""kill -9 amid commits of a real chain leaves a commit boundary, and its money adds up."""

from pathlib import Path

import pytest

from tests.storage.killing import kill_repeatedly
from tests.storage.ledger_workload import LedgerCommits

SEED = 11


def test_killed_chain_is_found_at_a_commit_boundary(tmp_path: Path) -> None:
    tally = kill_repeatedly(LedgerCommits, tmp_path, kills=5, seed=SEED)
    assert tally.steps > tally.kills


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_chain_killed_fifty_times_is_found_at_commit_boundaries(seed: int, tmp_path: Path) -> None:
    # Two hundred in all, in parts that each end before a test counts as one that hangs.
    tally = kill_repeatedly(LedgerCommits, tmp_path, kills=50, seed=seed)
    assert tally.steps > tally.kills
