"""What the reader tells of tasks, rounds, models and identities is what the contracts hold."""

import pytest

from fl.rules.effects import Reason
from fl.rules.phase import Phase
from node.execution.local_chain import LocalChain
from node.federation import calls
from node.federation.views import (
    FederationReader,
    ForeignContractError,
    NoSuchTaskError,
)
from node.vm.abi import PythonValue
from primitives.ids import Address, Height
from tests.contracts.rounds_stage import HONEST, Stage
from tests.federation.local_caller import LocalCaller, founded
from tests.fl import cast
from tests.fl.cast import Opinion

SPONSOR = cast.address("sponsor")
TRAINER = cast.address("trainer0")
VALIDATOR = cast.address("validator0")


@pytest.fixture(name="stage")
def _stage() -> Stage:
    return Stage(trainers=3, validators=4)


def reader_of(stage: Stage) -> FederationReader:
    return FederationReader(LocalCaller(stage.system.chain))


def test_task_and_terms_are_read(stage: Stage) -> None:
    reader = reader_of(stage)
    assert reader.task_count() == 1
    task = reader.task(0)
    assert (task.sponsor, task.version, task.rounds) == (SPONSOR, 0, 0)
    assert task.escrow == 3 * stage.offer.reward
    assert not task.is_running
    assert reader.terms(0).windows == stage.offer.windows
    assert reader.round(0) is None
    assert reader.latest_version(0) == 0
    assert reader.model(0, 1) is None


@pytest.mark.parametrize("number", [-1, 1, 2**70])
def test_a_task_that_is_not_there_is_one_clear_line(stage: Stage, number: int) -> None:
    reader = reader_of(stage)
    for question in (reader.task, reader.terms, reader.round):
        with pytest.raises(NoSuchTaskError, match=f"no task {number}: 1 tasks"):
            question(number)


def test_a_round_is_followed_from_commitments_to_the_model(stage: Stage) -> None:
    reader = reader_of(stage)
    stage.must("open_round", 0, by="anyone")
    stage.commit(stage.trainers)
    opened = reader.round(0)
    assert opened is not None
    assert (opened.task, opened.number, opened.phase) == (0, 0, Phase.COMMIT)
    assert [one.trainer for one in opened.updates] == [cast.address(n) for n in stage.trainers]
    assert opened.updates[0].root is None
    assert len(opened.seats) == 4
    assert opened.seat_of(VALIDATOR) is not None
    assert opened.seat_of(TRAINER) is None
    assert opened.update_of(VALIDATOR) is None

    stage.close()
    stage.reveal(stage.trainers[:2])
    revealing = reader.round(0)
    assert revealing is not None
    assert revealing.phase is Phase.REVEAL
    assert [one.root for one in revealing.updates] == [
        cast.root_of("trainer0"),
        cast.root_of("trainer1"),
        None,
    ]
    stage.close()
    stage.must("attest", 0, 0b01, by="validator0")
    attested = reader.round(0)
    assert attested is not None
    seat = attested.seat_of(VALIDATOR)
    assert seat is not None
    assert (seat.held, seat.has_committed, seat.vote, seat.report) == (1, False, None, None)
    assert attested.updates[0].attested == seat.power
    assert not attested.updates[0].is_available


def test_scores_weights_votes_and_reports_are_read(stage: Stage) -> None:
    reader = reader_of(stage)
    stage.until_scores()
    stage.score([HONEST, HONEST, Opinion(alone=-5)])
    weighed = reader.round(0)
    assert weighed is not None
    assert weighed.phase is Phase.AGGREGATE
    assert [one.index for one in weighed.weighted] == [0, 1]
    assert sum(one.weight for one in weighed.weighted) == 1 << 16
    assert weighed.updates[2].reason is Reason.LOW_QUALITY
    assert weighed.updates[0].is_judged
    assert weighed.updates[0].reason is None
    assert weighed.updates[0].score == 100
    aggregate = cast.aggregate_of(stage.running.weights)
    stage.must("vote", 0, aggregate, by="validator0")
    voting = reader.round(0)
    assert voting is not None
    seat = voting.seat_of(VALIDATOR)
    assert seat is not None
    assert (seat.vote, seat.report, seat.has_revealed) == (aggregate, None, True)
    assert reader.card(0, seat.index) == cast.card([HONEST, HONEST, Opinion(alone=-5)])
    for name in stage.validators[1:]:
        stage.must("vote", 0, aggregate, by=name)
    stage.must("report", 0, (-10, 0), by="validator0")
    guarding = reader.round(0)
    assert guarding is not None
    assert guarding.aggregate == aggregate
    seat = guarding.seat_of(VALIDATOR)
    assert seat is not None
    assert seat.report == (-10, 0)


def test_a_committed_model_tells_who_made_it(stage: Stage) -> None:
    reader = reader_of(stage)
    stage.whole_round()
    assert reader.latest_version(0) == reader.task(0).version == 1
    model = reader.model(0, 1)
    assert model is not None
    assert model.model == reader.task(0).model
    assert model.contributors == tuple(cast.address(name) for name in stage.trainers)
    assert sum(model.weights) == 1 << 16
    assert model.round == 0
    assert model.clip == reader.task(0).clip
    assert reader.standing(0, TRAINER).reputation > 6_554
    assert sum(reader.vesting(0, TRAINER).amounts) > 0


def test_identities_and_the_catalogue_are_read() -> None:
    stage = Stage(trainers=1)
    chain, reader = stage.system.chain, reader_of(stage)
    bob, nobody = chain.account("bob"), chain.account("nobody at all")
    chain.send(calls.register("bob", organisation="acme"), sender="bob")
    identity = reader.identity(bob)
    assert (identity.name, identity.role, identity.organisation) == ("bob", "client", "acme")
    assert identity.roles == ("client", "organisation")
    assert identity.keys == ()
    assert reader.owner_of("bob") == bob
    assert reader.owner_of("nobody") is None
    assert reader.holder_of(bytes(32)) is None
    assert reader.identity(nobody).registered_at == 0
    assert reader.roles(VALIDATOR) == ("client", "validator")
    assert reader.catalogue() == ()
    assert reader.catalogue_entry(0) is None
    assert reader.dispute_count() == 0
    assert reader.dispute(0) is None


def test_a_reader_asks_in_the_state_of_its_height() -> None:
    caller = LocalCaller(Stage(trainers=1).system.chain)
    newest = FederationReader(caller)
    newest.at(Height(7)).task_count()
    newest.task_count()
    assert caller.heights == [7, None]


def test_an_answer_of_another_contract_is_named() -> None:
    class Odd:
        def call(
            self,
            contract: Address,
            method: str,
            /,
            *arguments: PythonValue,
            height: Height | None = None,
        ) -> PythonValue:
            del contract, method, arguments, height
            return "seven"

    with pytest.raises(ForeignContractError, match="task_count answers what we cannot read"):
        FederationReader(Odd()).task_count()


def test_an_empty_chain_has_no_tasks() -> None:
    reader = FederationReader(LocalCaller(LocalChain(contracts=founded())))
    assert reader.task_count() == 0
