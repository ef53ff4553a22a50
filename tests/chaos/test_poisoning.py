"""Trainers flip signs and ride free, a validator lies, and the model gets better all the same.

The nodes are real processes, and so are workers; what they train is a toy that needs no torch, so
that a round takes seconds. The same on a language model is marked slow.
"""

from pathlib import Path

import pytest

from devnet.local.plan import Wish, parse_shares
from devnet.local.story import RoundStory, Story, UpdateStory
from devnet.local.study import NOTES, Study
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
