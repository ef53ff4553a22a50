"""Why a round ended as it did: each number is what validators said and the contract decided."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from node.federation import calls
from node.rpc.errors import NodeAnswerError
from node.rpc.judgement_schemas import JudgedUpdate, Judgement
from node.rpc.round_shelf import RoundShelf
from node.rpc.round_watch import RoundWatch
from node.rpc.texts import account_text
from tests.chain.founded import address_of
from tests.fl import cast
from tests.fl.cast import BAD_REPORT, Opinion
from tests.rpc.offers import FIRST_MODEL, create_task
from tests.rpc.played import HARMFUL, HONEST, VALIDATORS, Played
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, BOB, CAROL = (account_text(address_of(name)) for name in ("alice", "bob", "carol"))
COPY = replace(HONEST, original=0, cluster=0)
REWARD = cast.Offer().reward


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a node after three rounds: one with a liar, one that the guard refused, one unseen."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        played = Played(stage)
        await played.register()
        await stage.send(create_task(rounds=4), sender="alice")
        await _first_round(played)
        await _second_round(played)
        stage.is_blind = True
        await played.train()
        await played.hold(0b111)
        await played.score([HONEST, HONEST, COPY])
        await played.vote()
        await played.report()
        await played.end()
        stage.is_blind = False
        yield stage


async def _first_round(played: Played) -> None:
    await played.train()
    await played.hold(0b111)
    other = [Opinion(alone=110), Opinion(alone=90, norm=2_000), Opinion(alone=-800, left_out=-400)]
    await played.score([HONEST, HONEST, HARMFUL], others={"validator-3": other})
    await played.vote(liars=["validator-2"])
    await played.report((-10, 0), by=VALIDATORS[:2])
    await played.report((-30, 4), by=VALIDATORS[2:])
    await played.end()


async def _second_round(played: Played) -> None:
    await played.train(silent=["carol"])
    await played.hold(0b011)
    await played.score([HONEST, Opinion(alone=50), HONEST])
    for _ in range(3):
        await played.vote()
        await played.report(BAD_REPORT)
        await played.until("aggregate")
    await played.vote()
    await played.report(BAD_REPORT, by=VALIDATORS[:3])
    await played.end()


@pytest_asyncio.fixture(name="first", scope="module", loop_scope="module")
async def _first(stage: Stage) -> Judgement:
    return await stage.client.judgement(0, 0)


@pytest_asyncio.fixture(name="second", scope="module", loop_scope="module")
async def _second(stage: Stage) -> Judgement:
    return await stage.client.judgement(0, 1)


def of(judgement: Judgement, trainer: str) -> JudgedUpdate:
    return next(one for one in judgement.updates if one.trainer == trainer)


def seat(judgement: Judgement, number: int) -> int:
    """Return the seat of a validator; seats go by power and address, not by name."""
    who = account_text(address_of(VALIDATORS[number]))
    return next(one.seat for one in judgement.seats if one.validator == who)


async def test_committed_round_tells_what_decided_it(first: Judgement) -> None:
    assert (first.outcome, first.phase, first.source) == ("committed", None, "seen")
    assert (first.clip, first.version) == (str(cast.Offer().clip), 1)
    assert (first.threshold, first.median, first.level) == ("25", "100", "100")
    assert int(first.quorum or 0) == int(first.power or 0) * 2 // 3 + 1
    assert first.guard_bounds == ("0", "5")
    assert first.displaced == ()


async def test_update_shows_every_score_and_their_median(first: Judgement) -> None:
    alice = of(first, ALICE)
    expected = ["100"] * 4
    expected[seat(first, 3)] = "110"
    assert [one.alone for one in alice.scores] == expected
    assert (alice.score, alice.left_out, alice.band, alice.norm) == ("100", "50", "20", "2000")
    assert (alice.verdict, alice.weight, alice.bond) == ("accepted", "32768", "returned")
    assert alice.root == cast.root_of("alice").hex()
    assert not alice.is_clipped


async def test_rejected_update_tells_how_many_saw_the_loss_rise(first: Judgement) -> None:
    carol = of(first, CAROL)
    assert (carol.verdict, carol.weight, carol.earned) == ("low_quality", "0", "0")
    reason = carol.reason
    assert (reason.code, reason.seats, reason.rose) == ("low_quality", 4, 4)
    assert (reason.score, reason.threshold) == ("-900", "25")


async def test_what_trainers_earned_is_what_the_contract_owes_them(
    stage: Stage, first: Judgement
) -> None:
    for name, trainer in (("alice", ALICE), ("bob", BOB)):
        vesting = stage.context.federation.vesting(0, address_of(name))
        assert of(first, trainer).earned == str(vesting.amounts[0])


async def test_money_of_a_round_adds_up_to_its_reward(first: Judgement, second: Judgement) -> None:
    for judged in (first, second):
        money = judged.money
        paid = sum(int(one.paid or 0) for one in judged.seats)
        assert str(paid) == money.validators
        assert int(money.storage or 0) <= paid
        assert int(money.reward) == REWARD
        # Bonds that are burned are none of the reward.
        bonds_burned = sum(one.bond == "burned" for one in judged.updates) * cast.Offer().bond
        spent = int(money.trainers or 0) + paid + int(money.burned or 0) - bonds_burned
        assert spent + int(money.returned or 0) == REWARD
        tos = {one.to for one in money.payments if one.purpose == "validation"}
        assert tos == {one.validator for one in judged.seats if one.paid != "0"}


async def test_votes_and_reports_stand_beside_the_medians(first: Judgement) -> None:
    (rung,) = first.rungs
    votes = [one.hash for one in rung.votes]
    assert votes.count(rung.aggregate or "") == 3
    assert votes[seat(first, 2)] == bytes(32).hex()
    assert rung.aggregate == first.model
    for number, changes in enumerate([("-10", "0")] * 2 + [("-30", "4")] * 2):
        assert rung.reports[seat(first, number)].changes == changes
    assert (rung.medians, rung.passed, rung.result) == (("-30", "0"), (True, True), "committed")


async def test_liar_about_the_aggregate_is_named(stage: Stage, first: Judgement) -> None:
    (slash,) = first.slashes
    assert (slash.who, slash.code) == (
        account_text(address_of("validator-2")),
        "wrong_aggregate",
    )
    assert slash.basis_points == 3_000


async def test_ladder_shows_each_rung_with_what_it_dropped(second: Judgement) -> None:
    assert (second.outcome, second.version) == ("null", None)
    assert [rung.rung for rung in second.rungs] == [0, 1, 2, 3]
    assert [rung.halvings for rung in second.rungs] == [0, 1, 2, 2]
    assert [rung.dropped for rung in second.rungs] == [(), (), (), (1,)]
    assert [len(rung.reports) for rung in second.rungs] == [4, 4, 4, 3]
    for rung in second.rungs:
        assert (rung.medians, rung.passed, rung.result) == (("50", "0"), (False, True), "refused")
    bob = of(second, BOB)
    assert (bob.verdict, bob.reason.rung) == ("dropped", 3)
    assert of(second, ALICE).verdict == "not_committed"


async def test_update_that_was_never_revealed_has_no_scores(second: Judgement) -> None:
    carol = of(second, CAROL)
    assert (carol.verdict, carol.root, carol.scores, carol.score) == ("withheld", None, (), None)
    assert (carol.bond, carol.reason.seats) == ("burned", None)


async def test_round_that_nobody_watched_is_told_by_its_events(stage: Stage) -> None:
    third = await stage.client.judgement(0, 2)
    assert (third.outcome, third.source, third.threshold) == ("committed", "events", None)
    assert [one.verdict for one in third.updates] == ["accepted", "accepted", "copy"]
    assert all(one.score is None and one.scores == () for one in third.updates)
    assert of(third, CAROL).bond == "burned"
    (rung,) = third.rungs
    assert (rung.votes, rung.medians, rung.result) == ((), None, "committed")
    assert third.money.trainers is None
    assert int(third.money.validators or 0) > 0


async def test_versions_tell_how_the_guard_saw_each_change(stage: Stage) -> None:
    page = await stage.client.versions(0)
    assert (page.latest, page.start, page.is_complete) == (2, FIRST_MODEL.hex(), True)
    assert [one.version for one in page.versions] == [2, 1]
    assert [one.changes for one in page.versions] == [None, ("-30", "0")]
    assert page.versions[0].parent == page.versions[1].model
    assert page.versions[1].limit == str(cast.Offer().clip)
    older = await stage.client.versions(0, before=2, limit=1)
    assert older.versions == page.versions[1:]
    assert not (await stage.client.versions(0, limit=1)).is_complete
    assert (await stage.client.versions(0, before=0)).versions == ()


async def test_what_was_seen_outlives_the_node(stage: Stage, first: Judgement) -> None:
    shelf = RoundShelf(stage.folder / "rounds", chain_id=stage.chain.chain_id)
    again = RoundWatch(stage.chain, shelf)
    for number in (0, 1):
        assert again.find(0, number) == stage.watch.find(0, number)
    assert again.find(0, 2) is None


async def test_rounds_that_are_not_there_are_not_found(stage: Stage) -> None:
    for question in (
        stage.client.judgement(0, 9),
        stage.client.judgement(7, 0),
        stage.client.versions(7),
    ):
        with pytest.raises(NodeAnswerError) as caught:
            await question
        assert caught.value.status == 404


async def test_running_round_shows_what_is_said_so_far(stage: Stage) -> None:
    played = Played(stage, trainers=("alice", "bob"))
    await played.train()
    opened = await stage.client.judgement(0, 3)
    assert (opened.outcome, opened.phase, opened.threshold) == ("running", "availability", None)
    assert [one.verdict for one in opened.updates] == ["pending", "pending"]
    assert [one.bond for one in opened.updates] == ["held", "held"]
    await played.hold(0b11)
    await played.score([HONEST, HONEST])
    aggregate = cast.aggregate_of([one.weight for one in played.running.updates])
    await stage.send(calls.vote(0, aggregate=aggregate), sender="validator-1")
    voting = await stage.client.judgement(0, 3)
    (rung,) = voting.rungs
    assert [one.seat for one in rung.votes] == [seat(voting, 1)]
    assert (rung.aggregate, rung.result) == (None, "running")
    assert voting.threshold == "25"
    assert voting.money.trainers is None
    # Another node that has just started knows as much of it.
    assert RoundWatch(stage.chain, RoundShelf()).find(0, 3) is not None
