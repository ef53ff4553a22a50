"""Who does what follows from a few numbers, and what cannot be is refused in one line."""

import pytest

from devnet.local.errors import PlanError
from devnet.local.plan import (
    Part,
    Plan,
    Share,
    Wish,
    make_plan,
    parse_shares,
    quorum_survives,
)


def _names(plan: Plan, part: Part) -> list[str]:
    return [node.name for node in plan.of(part)]


def test_everybody_is_both_unless_told_otherwise() -> None:
    plan = make_plan(Wish(nodes=4))
    assert _names(plan, Part.VALIDATOR) == _names(plan, Part.TRAINER)
    assert len(plan.of(Part.VALIDATOR)) == 4
    assert all(node.is_honest for node in plan.nodes)


def test_first_nodes_validate_and_last_ones_train() -> None:
    plan = make_plan(Wish(nodes=5, validators=3, trainers=3))
    assert _names(plan, Part.VALIDATOR) == ["node-0", "node-1", "node-2"]
    assert _names(plan, Part.TRAINER) == ["node-2", "node-3", "node-4"]
    assert plan.nodes[2].parts == (Part.VALIDATOR, Part.TRAINER)


def test_node_may_be_neither() -> None:
    plan = make_plan(Wish(nodes=5, validators=2, trainers=2))
    assert plan.nodes[2].parts == ()


def test_attackers_are_the_last_trainers_and_liars_the_last_validators() -> None:
    wish = Wish(
        nodes=8,
        validators=4,
        attackers=parse_shares("signflip:2,freerider:1"),
        liars=parse_shares("inverted:1"),
    )
    plan = make_plan(wish)
    assert [node.attack for node in plan.nodes] == [*[""] * 5, "signflip", "signflip", "zero"]
    assert [node.lie for node in plan.nodes] == ["", "", "", "inverted", *[""] * 4]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(nodes=0), "--nodes is 1 to 64, not 0"),
        (Wish(nodes=65), "--nodes is 1 to 64"),
        (Wish(nodes=4, validators=5), "--validators is 1 to the 4 nodes, not 5"),
        (Wish(nodes=4, validators=0), "--validators is 1 to the 4 nodes, not 0"),
        (Wish(nodes=4, trainers=5), "--trainers is 0 to the 4 nodes"),
        (Wish(nodes=4, trainers=0), "rounds need trainers"),
        (Wish(nodes=4, rounds=-1), "--rounds is 0 to 1000"),
        (Wish(nodes=4, epoch_ms=1), "an epoch lasts a second"),
        (Wish(nodes=4, at_once=0), "at least one worker"),
        (Wish(nodes=4, threads=0), "a worker has a thread"),
        (Wish(nodes=4, trainers=2, attackers=(Share("zero", 3),)), "asks for 3 of 2 trainers"),
        (Wish(nodes=4, liars=(Share("inverted", 5),)), "asks for 5 of 4 validators"),
        (Wish(nodes=4, attackers=(Share("rude", 1),)), "no attack 'rude'; there are sign"),
        (Wish(nodes=4, attackers=(Share("none", 1),)), "no attack 'none'"),
        (Wish(nodes=4, liars=(Share("rude", 1),)), "no lie 'rude'; there are inverted"),
    ],
)
def test_what_cannot_be_is_refused_in_words(wish: Wish, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make_plan(wish)


@pytest.mark.parametrize("text", ["signflip", "signflip:", "signflip:x", "signflip:0", "a:-1"])
def test_shares_are_kinds_with_counts(text: str) -> None:
    with pytest.raises(PlanError, match="KIND:COUNT"):
        parse_shares(text)


@pytest.mark.parametrize("count", ["65", "9" * 9, "9" * 5_000])
def test_share_of_more_than_a_network_is_refused_before_it_is_made(count: str) -> None:
    with pytest.raises(PlanError, match="'signflip' counts too many: a network has 64 nodes"):
        parse_shares(f"signflip:{count}")


def test_no_text_is_no_share() -> None:
    assert parse_shares("") == ()
    assert parse_shares(" zero:1 , noise:2 ,") == (Share("zero", 1), Share("noise", 2))


def test_a_third_of_liars_is_too_many() -> None:
    assert quorum_survives(make_plan(Wish(nodes=4, liars=(Share("inverted", 1),))))
    assert not quorum_survives(make_plan(Wish(nodes=4, liars=(Share("inverted", 2),))))
    assert not quorum_survives(make_plan(Wish(nodes=3, liars=(Share("inverted", 1),))))
