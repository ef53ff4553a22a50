"""Trainers flip signs and ride free, a validator lies, and the model gets better all the same.

The nodes are real processes, and so are workers; what they train is a toy that needs no torch, so
that a round takes seconds. The same on a language model is marked slow.
"""

import asyncio
import contextlib
from pathlib import Path

import pytest

from devnet.local.drive import Drive
from devnet.local.plan import Wish, make_plan, parse_shares
from devnet.local.story import RoundStory, Story, UpdateStory
from devnet.local.study import NOTES, Study
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError
from node.running.clock import SystemClock
from tests.chaos.rounds import TOY, holds_together, trained


def _of(one: RoundStory, attack: str) -> list[UpdateStory]:
    return [update for update in one.updates if update.attack == attack]


def _check(story: Story) -> None:
    for one in story.rounds:
        assert one.outcome == "committed"
        assert one.agreed == len(story.nodes)
        bad = [update for update in one.updates if update.attack]
        assert all(update.weight == 0 and update.score <= 0 for update in bad)
        assert sum(update.weight for update in _of(one, "")) == pytest.approx(1, abs=1e-3)


@pytest.mark.asyncio
async def test_attackers_get_no_weight_and_a_lying_validator_changes_nothing(
    tmp_path: Path,
) -> None:
    wish = Wish(
        nodes=6,
        validators=4,
        attackers=parse_shares("signflip:1,freerider:1"),
        liars=parse_shares("inverted:1"),
        rounds=2,
        study=TOY,
    )
    async with trained(tmp_path, wish) as (story, network):
        _check(story)
        assert story.rounds[-1].version == 2
        assert {len(one.updates) for one in story.rounds} == {6}
        await holds_together(network, story, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_full_node_cannot_read_an_update_before_the_rule_opens_it(tmp_path: Path) -> None:
    wish = Wish(nodes=6, validators=4, trainers=1, rounds=2, study=TOY)
    drive = Drive(tmp_path / "net", make_plan(wish), SystemClock())
    seen: list[tuple[str, bool]] = []
    try:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_look_for_updates(drive, seen), name="spy")
            await drive.run()
            looking.cancel()
    finally:
        if drive.network is not None:
            await drive.network.stop()
    assert {phase for phase, _ in seen} >= {"availability", "score commit"}
    assert not any(is_readable for _, is_readable in seen)


async def _look_for_updates(drive: Drive, seen: list[tuple[str, bool]]) -> None:
    """Ask the full node for what is revealed, for as long as the round runs."""
    while drive.campaign is None or drive.network is None:  # noqa: ASYNC110 - of another task
        await asyncio.sleep(0.05)
    task, network = drive.campaign.task, drive.network
    async with NodeClient(network.record.node("node-4").url) as spy:
        while True:
            with contextlib.suppress(NodeAnswerError):
                # A full node learns of the task a moment after the validators.
                running = await spy.running_round(task)
                roots = [] if running is None else [one.root for one in running.updates]
                for root in filter(None, roots):
                    assert running is not None
                    seen.append((running.phase, await _can_read(spy, root)))
            await asyncio.sleep(0.05)


async def _can_read(spy: NodeClient, root: str) -> bool:
    try:
        await spy.blob(root)
    except NodeAnswerError as error:
        return error.status != 404
    return True


@pytest.mark.slow
@pytest.mark.asyncio
async def test_language_model_learns_among_attackers(tmp_path: Path) -> None:
    wish = Wish(
        nodes=6,
        validators=4,
        attackers=parse_shares("signflip:1,freerider:1"),
        liars=parse_shares("inverted:1"),
        rounds=2,
        study=Study(source=NOTES, train_s=120, score_s=120),
    )
    async with trained(tmp_path, wish) as (story, network):
        _check(story)
        await holds_together(network, story, folder=tmp_path)
    first, last = story.start_figures, story.rounds[-1].figures
    assert last["perplexity"] < first["perplexity"]
