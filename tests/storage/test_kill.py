"""kill -9 at random moments loses nothing that was acknowledged, on real processes and disks."""

from pathlib import Path

import pytest

from tests.storage.killing import Workload, kill_repeatedly
from tests.storage.workloads import HastyTransfers, Rounds, Transfers

WORKLOADS = (Transfers, Rounds)
SEED = 4


@pytest.mark.parametrize("workload", WORKLOADS)
def test_killed_process_leaves_a_commit_boundary(workload: type[Workload], tmp_path: Path) -> None:
    tally = kill_repeatedly(workload, tmp_path, kills=5, seed=SEED)
    assert tally.steps > tally.kills


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS)
def test_killed_two_hundred_times(workload: type[Workload], tmp_path: Path) -> None:
    tally = kill_repeatedly(workload, tmp_path, kills=200, seed=SEED)
    assert tally.steps > tally.kills
    assert tally.unacknowledged, "no kill came between a commit and its acknowledgement"


def test_rig_finds_a_step_that_is_acknowledged_too_early(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is lost"):
        kill_repeatedly(HastyTransfers, tmp_path, kills=20, seed=SEED)
