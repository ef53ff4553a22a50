"""A trainer who sends what it has read of others earns nothing, and they earn what they would."""

from pathlib import Path

import pytest

from devnet.local.plan import Wish, parse_shares
from fl.rules.effects import Purpose, Reason
from node.duties.publishing import Prices
from tests.chaos.rounds import TOY, gained, holds_together, payments, trained


@pytest.mark.slow
@pytest.mark.asyncio
async def test_trainer_who_copies_what_it_can_see_earns_nothing(tmp_path: Path) -> None:
    # Its node has a seat, so it reads all updates as soon as anybody may: when it is too late for
    # their own round, and in time for the next one that trains the same half of the model.
    wish = Wish(nodes=4, attackers=parse_shares("copycat:1"), rounds=3, study=TOY)
    async with trained(tmp_path, wish) as (story, network):
        copied = story.rounds[2]
        assert copied.outcome == "committed"
        thief = next(one for one in copied.updates if one.attack)
        honest = [one for one in copied.updates if not one.attack]
        assert (thief.verdict, thief.weight) == (Reason.REPLAY.value, 0)
        assert {one.verdict for one in honest} == {"accepted"}
        paid = await payments(network, 2)
        bonds = {who for who, why, _ in paid if why is Purpose.BOND}
        assert bonds == {network.record.node(one.trainer).account for one in honest}
        assert await gained(network, thief.trainer, 2) <= -Prices().bond
        for one in honest:
            assert await gained(network, one.trainer, 2) > 0
        await holds_together(network, story, folder=tmp_path)
