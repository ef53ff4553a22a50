"""How the time of a federated round grows with participants: the same round at several sizes.

All nodes of a network validate and train the model that ships with Hanse, with few samples. They
share the cores of this machine, two workers compute at one time, and every validator scores the
updates of all trainers; so scoring grows with the square of the size. What is left of a round when
the slowest training and scoring are subtracted is what the protocol costs. Each row stands beside
the smallest size of the same run, so its ratio says how much more the larger network takes. The
first round is left out, for workers load torch in it; messages are those of the whole run.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.comparison import Row, compare, run
from devnet.local.drive import Drive
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.story import Story
from devnet.local.study import Study
from node.running.clock import SystemClock

SIZES: Final = (4, 8, 12)
QUICK_SIZES: Final = (2, 4)
ROUNDS: Final = 5
QUICK_ROUNDS: Final = 3
LIMIT_S: Final = 900
"""Of training, and of scoring: on few cores torch is slow to load, but nobody waits for the end."""

STUDY: Final = Study(samples=32, held_out=24, tested=8, alpha=10, train_s=LIMIT_S, score_s=LIMIT_S)
"""Nearly equal parts, so that no size has a slower trainer than another."""

TRAFFIC: Final = "p2p_stream_bytes_total"
_MS_PER_S: Final = 1_000
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the rounds of a network of one size took, medians but for `sent_mb`.

    Attributes:
        beyond_s: of a round, less its slowest training and its slowest scoring.
        sent_mb: by all nodes together, of the whole run, divided by its rounds.
    """

    nodes: int
    round_s: float
    beyond_s: float
    gas: float
    sent_mb: float


def measure_rows(quick: bool) -> Sequence[Row]:  # noqa: FBT001 - the contract of comparison.run
    """Run the rounds at each size, the smallest first."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    samples: list[Sample] = []
    for nodes in QUICK_SIZES if quick else SIZES:
        story, sent_bytes = asyncio.run(_run(nodes, rounds))
        found = sample_of(story, sent_bytes=sent_bytes)
        if found is None:
            print(f"{nodes} nodes committed no model after the first round", file=sys.stderr)
        else:
            samples.append(found)
    if len(samples) < 2:
        raise SystemExit("there are not two sizes to compare")
    return rows_of(samples)


def sample_of(story: Story, *, sent_bytes: int) -> Sample | None:
    """Return what rounds took that committed a model, the first left out; None if none did."""
    rounds = [one for one in story.rounds[1:] if one.outcome == "committed"]
    if not rounds:
        return None
    return Sample(
        nodes=len(story.nodes),
        round_s=statistics.median(one.took_ms for one in rounds) / _MS_PER_S,
        beyond_s=statistics.median(one.beyond_ms for one in rounds) / _MS_PER_S,
        gas=statistics.median(one.gas for one in rounds),
        sent_mb=sent_bytes / len(story.rounds) / _MB,
    )


def rows_of(samples: Sequence[Sample]) -> list[Row]:
    """Return the rows of all sizes but the smallest, which is the first, beside it."""
    first, *others = samples
    return [
        compare(
            f"{one.nodes} nodes, {case}",
            unit,
            ours(one),
            peer_name=f"{first.nodes} nodes",
            peer=ours(first),
        )
        for one in others
        for case, unit, ours in _FIGURES
    ]


_FIGURES: Final[Sequence[tuple[str, str, Callable[[Sample], float]]]] = (
    ("a round", "s", lambda one: one.round_s),
    ("a round beyond training and scoring", "s", lambda one: one.beyond_s),
    ("gas of a round", "million", lambda one: one.gas / 1e6),
    ("messages of all a round", "MB", lambda one: one.sent_mb),
)


async def _run(nodes: int, rounds: int) -> tuple[Story, int]:
    with tempfile.TemporaryDirectory(prefix="hanse-sizes-") as folder:
        plan = make_plan(Wish(nodes=nodes, rounds=rounds, study=STUDY))
        drive = Drive(Path(folder) / "net", plan, SystemClock())
        try:
            story = await drive.run()
            assert drive.network is not None, "a run has a network"
            return story, await _sent_bytes(drive.network)
        finally:
            if drive.network is not None:
                await drive.network.stop()


async def _sent_bytes(network: LocalNetwork) -> int:
    async with network.opened():
        texts = [await network.client(name).metrics() for name in network.alive()]
    return sum(map(sent_bytes_of, texts))


def sent_bytes_of(metrics: str) -> int:
    """Return what a node has sent to peers over all protocols, by its metrics."""
    return round(
        sum(
            sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
            if sample.name == TRAFFIC and sample.labels["flow"] == "sent"
        )
    )


if __name__ == "__main__":
    run("scalability", measure_rows)
