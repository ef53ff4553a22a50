"""What a federated round costs beyond the slowest trainer and the scoring itself, four real nodes.

The nodes validate and train the model that ships with Hanse; a round goes on as soon as everybody
has acted. The first round is left out, for workers load torch in it. Overhead is what is left of
the time of a round: commitments, sealed updates fetched by everybody, votes, aggregation, the guard
and the wait for commits. The simulators of Flower and NVFlare stand beside it where they are
installed; their rounds have no scoring and no ledger.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.comparison import Row, compare, run
from devnet.local.drive import Drive
from devnet.local.plan import Wish, make_plan
from devnet.local.story import RoundStory, Story
from devnet.local.study import Study
from node.running.clock import SystemClock

NODES: Final = 4
ROUNDS: Final = 6
QUICK_ROUNDS: Final = 3
LIMIT_S: Final = 1.0
START_LIMIT_S: Final = 15.0
ROOT: Final = Path(__file__).parents[1]
PEERS: Final = {"flower": "Flower 1.41.0 sim.", "flare": "NVFlare 2.9.0 sim."}
"""By their folder in `round_peers`."""

PEER_LIMIT_S: Final = 600
PEER_STEPS: Final = 200
"""Products of matrices in place of a training, which is subtracted."""

NUMBERS: Final = 10_752
"""Of the adapter of the model that ships; its updates have half of them."""

_MS_PER_S: Final = 1_000


def measure_rows(quick: bool) -> Sequence[Row]:  # noqa: FBT001 - the contract of comparison.run
    """Run the rounds, and say where their time goes."""
    count = QUICK_ROUNDS if quick else ROUNDS
    story = asyncio.run(_run(count))
    rounds = [one for one in story.rounds[1:] if one.outcome == "committed"]
    if not rounds:
        raise SystemExit("no round after the first committed a model")
    return [
        *rows_of(rounds),
        *_start(story),
        *_peers(statistics.median(_overheads(rounds)), count),
    ]


def rows_of(rounds: Sequence[RoundStory]) -> list[Row]:
    """Return the rows from rounds that committed a model."""
    whole = statistics.median(one.took_ms for one in rounds) / _MS_PER_S
    return [
        compare(
            "round beyond training and scoring",
            "s",
            statistics.median(_overheads(rounds)),
            peer_name="limit",
            peer=LIMIT_S,
            goal=1,
        ),
        *_phases(rounds, whole),
    ]


async def _run(rounds: int) -> Story:
    with tempfile.TemporaryDirectory(prefix="hanse-rounds-") as folder:
        study = Study(samples=32, held_out=24, tested=8)
        plan = make_plan(Wish(nodes=NODES, rounds=rounds, study=study))
        drive = Drive(Path(folder) / "net", plan, SystemClock())
        try:
            return await drive.run()
        finally:
            if drive.network is not None:
                await drive.network.stop()


def _overheads(rounds: Sequence[RoundStory]) -> list[float]:
    return [one.beyond_ms / _MS_PER_S for one in rounds]


def _start(story: Story) -> list[Row]:
    """Return how long it took to the first step; none if a short training was over unseen."""
    if story.first_step_ms is None:
        return []
    first_s = story.first_step_ms / _MS_PER_S
    loading_s = _torch_s()
    return [
        compare(
            "start to first step beyond torch",
            "s",
            max(0.0, first_s - loading_s),
            peer_name="limit",
            peer=START_LIMIT_S,
            goal=1,
        )
    ]


def _torch_s() -> float:
    """Return how long one process alone takes to import what a worker imports."""
    clock = SystemClock()
    began_ms = clock.monotonic_ms()
    command = [sys.executable, "-c", "import fl.worker.studio"]
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 - our own module
    return (clock.monotonic_ms() - began_ms) / _MS_PER_S


def _peers(ours_s: float, rounds: int) -> list[Row]:
    """Return the rows beside other systems; none of what is not installed or does not run."""
    case = "round beyond training and scoring"
    found = {name: _rounds_of(folder, name, rounds) for folder, name in PEERS.items()}
    return [
        compare(case, "s", ours_s, peer_name=name, peer=statistics.median(beyond_s[1:]))
        for name, beyond_s in found.items()
        if beyond_s
    ]


def _rounds_of(folder: str, name: str, rounds: int) -> list[float]:
    place = ROOT / "benchmarks/round_peers" / folder
    python = place / ".venv/bin/python"
    if not python.exists():
        print(f"{name} is not installed (see the Makefile): its row is left out", file=sys.stderr)
        return []
    arguments = [NODES, rounds + 1, NUMBERS, PEER_STEPS]
    command = [str(python), str(place / "rounds.py"), *map(str, arguments)]
    # Ray gives itself half a minute to start, which a loaded machine exceeds.
    variables = {"RAY_raylet_start_wait_time_s": "180", "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(  # noqa: S603 - the interpreter beside our own program
            command,
            capture_output=True,
            text=True,
            timeout=PEER_LIMIT_S,
            check=True,
            env={**os.environ, **variables},
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{name} did not run ({error}): its row is left out", file=sys.stderr)
        return []
    beyond_s: list[float] = json.loads(ended.stdout.splitlines()[-1])
    return beyond_s


def _phases(rounds: Sequence[RoundStory], whole_s: float) -> list[Row]:
    names = list(dict.fromkeys(part.phase for one in rounds for part in one.phases))
    rows = []
    for name in names:
        times = [
            sum(part.took_ms for part in one.phases if part.phase == name) / _MS_PER_S
            for one in rounds
        ]
        rows.append(
            compare(
                f"phase {name}",
                "s",
                statistics.median(times),
                peer_name="whole round",
                peer=whole_s,
            )
        )
    return rows


if __name__ == "__main__":
    run("round_overhead", measure_rows)
