"""Nothing gets past the gate that makes the model worse, whoever lies, and nobody loses by it."""

from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, parse_shares
from devnet.local.report import markdown
from devnet.local.story import Story
from fl.rules.effects import Purpose, Reason
from fl.rules.limits import DROPS
from node.duties.publishing import Prices
from tests.chaos.rounds import (
    TASK,
    TOY,
    events,
    holds_together,
    owed,
    payments,
    task_after,
    trained,
)

BOND: Final = Prices().bond
RUNGS: Final = len(DROPS)
BOLD: Final = replace(TOY, worker_module="tests.chaos.bold_worker")
WARY: Final = replace(TOY, worker_module="tests.chaos.wary_worker")


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.asyncio
async def test_updates_whose_models_are_worse_fail_on_every_rung_and_leave_the_model(
    tmp_path: Path, rounds: int
) -> None:
    liars = parse_shares("inverted:1")
    wish = Wish(nodes=5, validators=4, liars=liars, rounds=rounds, study=WARY)
    async with trained(tmp_path, wish) as (story, network):
        await _check_refusal(network)
        _check_told(story)
        for one in story.rounds[1:]:
            # The gate opens again for the first model that is better, and that grows from W_0.
            assert (one.outcome, one.version) == ("committed", 1)
            start = (await task_after(network, 0))["model"]
            assert (await network.client("node-0").model(TASK, 1)).parent == start
        await holds_together(network, story, folder=tmp_path)


@pytest.mark.asyncio
async def test_updates_that_go_too_far_together_become_a_model_at_half_of_their_step(
    tmp_path: Path,
) -> None:
    async with trained(tmp_path, Wish(nodes=4, rounds=1, study=BOLD)) as (story, network):
        (first,) = story.rounds
        assert (first.outcome, first.version, first.rungs, first.refused) == ("committed", 1, 2, 1)
        assert all(update.weight > 0 for update in first.updates)
        assert (await network.client("node-0").model(TASK, 1)).halvings == 1
        await holds_together(network, story, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_nothing_but_bad_updates_leave_the_model_and_pay_nobody(tmp_path: Path) -> None:
    wish = Wish(nodes=4, attackers=parse_shares("signflip:4"), rounds=2, study=TOY)
    async with trained(tmp_path, wish) as (story, network):
        for one in story.rounds:
            assert (one.outcome, one.version, one.refused) == ("null", 0, 0)
            assert {update.verdict for update in one.updates} == {Reason.LOW_QUALITY.value}
            assert all(update.weight == 0 for update in one.updates)
            assert one.agreed == 4
        assert "0 of 2 rounds committed a model" in markdown(story)
        task = await task_after(network, 1)
        assert (int(task["version"]), int(task["escrow"])) == (0, 2 * Prices().reward)
        # Poor work is no fault: each has its bond back, and nobody anything else.
        accounts = sorted(node.account for node in network.record.nodes)
        for number in range(2):
            paid = await payments(network, number)
            assert sorted(paid) == [(who, Purpose.BOND, BOND) for who in accounts]
        assert set((await owed(network)).values()) == {0}
        await holds_together(network, story, folder=tmp_path)


async def _check_refusal(network: LocalNetwork) -> None:
    """Check round 0 on the chain: every rung was tried and refused, and the bonds went back."""
    client = network.client("node-0")
    history = await client.round_history(TASK, 0)
    told = await events(network, 0)
    names = [one.name for one in told]
    assert history.outcome == "null"
    assert names.count("AggregateSelected") == RUNGS
    assert [one.phase for one in history.phases].count("guard") == RUNGS
    assert not {"ModelCommitted", "Burned", "SlashRequested"} & set(names)
    reasons = [one.fields["reason"] for one in told if one.name == "Anomaly"]
    dropped, refused = (
        str(list(Reason).index(reason) + 1) for reason in (Reason.DROPPED, Reason.NOT_COMMITTED)
    )
    assert sorted(reasons) == sorted([dropped] * DROPS[-1] + [refused] * (5 - DROPS[-1]))
    before = await client.view("rounds", "task_of", str(TASK), height=history.first_height)
    after = await task_after(network, 0)
    assert (before["model"], before["version"]) == (after["model"], after["version"])
    paid = await payments(network, 0)
    bonds = sorted((who, amount) for who, why, amount in paid if why is Purpose.BOND)
    assert bonds == sorted((node.account, BOND) for node in network.record.nodes)
    assert {why for _, why, _ in paid} == {Purpose.BOND, Purpose.VALIDATION}
    wages = sum(amount for _, why, amount in paid if why is Purpose.VALIDATION)
    assert int(after["escrow"]) - int(before["escrow"]) == Prices().reward - wages


def _check_told(story: Story) -> None:
    first = story.rounds[0]
    assert (first.outcome, first.version, first.rungs, first.refused) == ("null", 0, RUNGS, RUNGS)
    assert all(update.weight == 0 for update in first.updates)
    assert all(update.score > 0 for update in first.updates), "each looked good by itself"
    report = markdown(story)
    assert f"| 0 | null, guard refused {RUNGS} | {RUNGS} | 0 of 5 |" in report
    assert Reason.DROPPED.value in report
    assert Reason.NOT_COMMITTED.value in report
    assert f"{len(story.rounds) - 1} of {len(story.rounds)} rounds committed a model" in report
