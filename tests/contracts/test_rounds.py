"""Rounds on the chain: what people get, what they lose, and what the neighbours are told."""

import msgspec
import pytest

from fl.rules.effects import Reason
from fl.rules.errors import Rule
from fl.rules.limits import DROPS, HALVINGS, STEPS_MAX
from fl.rules.phase import Phase
from fl.rules.reputation import INITIAL
from node.contracts import read_source
from node.execution.local_chain import key_named
from node.ledger.account import SystemAccount
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, sign_transaction
from node.vm import types
from node.vm.engine import Interpreter
from node.vm.lang.compiler import compile_contract
from node.vm.limits import MODULE_BYTES_MAX
from node.vm.module import encode_module
from primitives.hashing import sha256
from primitives.ids import Gas
from tests.contracts.cast import refused
from tests.contracts.rounds_stage import HONEST, SPONSOR, Stage
from tests.contracts.rounds_views import Viewer
from tests.fl import cast
from tests.fl.cast import BAD_REPORT, SALT, Offer, Opinion, address


class Model(msgspec.Struct, frozen=True):
    round: int
    parent: bytes
    model: bytes
    halvings: int
    contributors: list[bytes]
    weights: list[int]
    scores: list[int]


class Request(msgspec.Struct, frozen=True):
    who: bytes
    fault: int
    basis_points: int


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_round_in_which_everybody_is_honest_commits_a_model(stage: Stage) -> None:
    stage.until_scores()
    stage.score([HONEST] * 3)
    aggregate = cast.aggregate_of(stage.running.weights)
    stage.vote()
    stage.report()
    stage.wait(1_000)
    task = stage.system.view_task(0)
    assert (task.version, task.model, task.running) == (1, aggregate, None)
    registry = Viewer(stage.system.chain, name="registry")
    model = registry.view("model", 0, 1, kind=Model)
    assert model.parent == sha256(b"first model")
    assert model.model == aggregate
    assert model.contributors == [address(name) for name in stage.trainers]
    assert sum(model.weights) == 1 << 16
    assert model.scores == [100] * 3


def test_every_grain_of_the_reward_is_vested_paid_burned_or_back_in_the_escrow(
    stage: Stage,
) -> None:
    stage.whole_round()
    vested = sum(stage.standing(name).unpaid for name in stage.trainers)
    validators = sum(stage.paid(name) for name in stage.validators)
    assert vested > 0
    assert validators == stage.offer.reward * 52 // 100
    left = 3 * stage.offer.reward - stage.system.view_task(0).escrow
    assert vested + validators + stage.burned() == left
    assert stage.burned() > 0
    assert [stage.paid(name) for name in stage.trainers] == [stage.offer.bond] * 3


def test_a_reward_is_paid_to_its_owner_when_it_has_vested_whoever_asks(stage: Stage) -> None:
    stage.whole_round()
    who = address("trainer0")
    registered_at = stage.system.registered_at(who)
    claim = ("claim", 0, who, registered_at)
    assert stage.refused(*claim, by="trainer0") == "nothing has vested"
    unpaid = stage.standing("trainer0").unpaid
    stage.wait(7 * 70_000)
    stage.must(*claim, by="anyone")
    assert stage.paid("trainer0") == stage.offer.bond + unpaid
    assert stage.refused(*claim, by="anyone") == "nothing has vested"


def test_who_does_not_reveal_loses_the_bond_and_an_eighth_of_the_reputation(stage: Stage) -> None:
    stage.must("open_round", 0, by="anyone")
    stage.commit(stage.trainers)
    stage.close()
    stage.reveal(stage.trainers[1:])
    stage.close()
    stage.attest(0b110)
    stage.score([HONEST] * 3)
    stage.vote()
    stage.report()
    stage.wait(1_000)
    assert stage.reasons("trainer0") == [Reason.WITHHELD]
    assert stage.paid("trainer0") == 0
    assert stage.burned() >= stage.offer.bond
    cut = INITIAL - INITIAL // 8
    assert stage.standing("trainer0").reputation == cut
    who = address("trainer0")
    reputation = Viewer(stage.system.chain, name="reputation")
    told = reputation.view("reputation_of", 0, who, stage.system.registered_at(who), kind=int)
    assert told == cut


def test_a_copy_loses_its_bond_and_disputes_is_asked_for_a_part_of_the_stake(stage: Stage) -> None:
    stage.whole_round([HONEST, Opinion(original=0), HONEST])
    assert stage.reasons("trainer1") == [Reason.COPY]
    assert stage.paid("trainer1") == 0
    disputes = Viewer(stage.system.chain, name="disputes")
    request = disputes.view("find", 0, kind=Request)
    assert request == Request(address("trainer1"), fault=3, basis_points=100)
    assert stage.system.view_task(0).version == 1


def test_who_votes_for_another_aggregate_than_two_thirds_is_reported(stage: Stage) -> None:
    stage.until_scores()
    stage.score([HONEST] * 3)
    stage.vote(liars=["validator3"])
    stage.report()
    stage.wait(1_000)
    request = Viewer(stage.system.chain, name="disputes").view("find", 0, kind=Request)
    assert request == Request(address("validator3"), fault=6, basis_points=3_000)


def test_a_round_without_updates_ends_with_nothing_spent(stage: Stage) -> None:
    stage.must("open_round", 0, by="anyone")
    stage.wait(20_000)
    task = stage.system.view_task(0)
    assert (task.running, task.rounds, task.version) == (None, 1, 0)
    assert task.escrow == 3 * stage.offer.reward


def test_a_guard_that_never_passes_leaves_the_old_model(stage: Stage) -> None:
    stage.until_scores()
    stage.score([Opinion(100), Opinion(90), Opinion(80)])
    while stage.phase == Phase.AGGREGATE.value:
        stage.vote()
        stage.report(BAD_REPORT)
        stage.wait(100)
    assert stage.phase is None
    assert stage.system.view_task(0).version == 0
    assert stage.standing("trainer0").unpaid == 0


@pytest.mark.parametrize("rung", range(len(HALVINGS)))
def test_a_model_that_passes_at_a_rung_is_recorded_with_the_step_of_that_rung(rung: int) -> None:
    stage = Stage(trainers=6)
    stage.until_scores()
    stage.score([HONEST] * 6)
    for _ in range(rung):
        stage.vote()
        stage.report(BAD_REPORT)
        stage.wait(100)
    stage.vote()
    stage.report()
    stage.wait(1_000)
    model = Viewer(stage.system.chain, name="registry").view("model", 0, 1, kind=Model)
    assert model.halvings == HALVINGS[rung]
    assert len(model.contributors) == 6 - DROPS[rung]


def test_a_round_ends_though_nobody_acts_any_more(stage: Stage) -> None:
    stage.until_scores()
    stage.wait(200_000)
    assert stage.phase is None
    assert stage.system.view_task(0).escrow == 3 * stage.offer.reward


def test_only_the_sponsor_closes_a_task_and_gets_the_escrow_back(stage: Stage) -> None:
    assert stage.refused("close_task", 0, by="anyone") == "only the sponsor may"
    stage.must("close_task", 0, by=SPONSOR)
    assert stage.paid(SPONSOR) == 3 * stage.offer.reward
    assert stage.system.balance() == 0
    assert stage.refused("open_round", 0, by="anyone") == "the task is closed"


def test_a_task_is_published_by_its_sponsor(stage: Stage) -> None:
    chain = stage.system.chain
    identity, tasks = chain.contract("identity"), chain.contract("tasks")
    identity.register("hospital", "client", "clinics", sender="alice")
    number = stage.system.rounds.create_task(*Offer().args, sender="alice")
    tasks.publish(number, "Title", "What it is", sender="alice")
    identity.register("imposter", "client", "others", sender="bob")
    with refused("only the sponsor publishes a task"):
        tasks.publish(0, "Title", "What it is", sender="bob")


def test_both_engines_leave_the_same_state_after_a_round() -> None:
    fast, plain = Stage(), Stage(engine=Interpreter())
    for stage in (fast, plain):
        stage.whole_round([HONEST, Opinion(original=0), Opinion(-500)])
    assert fast.system.chain.state.values == plain.system.chain.state.values


def test_who_is_not_registered_may_not_commit(stage: Stage) -> None:
    stage.must("open_round", 0, by="anyone")
    rule = stage.refused("commit", 0, SALT, by="anyone", value=stage.offer.bond)
    assert rule == "the sender is not registered"


def test_a_call_that_leaves_no_gas_for_a_wake_up_still_counts_and_anybody_goes_on(
    stage: Stage,
) -> None:
    chain = stage.system.chain
    action = stage.system.viewer.action("open_round", (0,), value=0)
    signed = SIGNED_TRANSACTION_CODEC.decode(chain.sign(action, sender="alice"))
    poor = msgspec.structs.replace(signed.transaction, gas_limit=Gas(120_000))
    raw = SIGNED_TRANSACTION_CODEC.encode(sign_transaction(poor, key_named("alice")))
    (receipt,) = chain.commit([raw]).receipts
    assert receipt.code == ""
    assert stage.system.waiting() == set()
    stage.now_ms += 10_000
    stage.must("advance", 0, STEPS_MAX, by="anyone")
    assert stage.phase is None


def test_a_round_that_is_ready_goes_on_at_once_and_is_woken() -> None:
    stage = Stage(offer=Offer(slots=3, ready=2))
    stage.must("open_round", 0, by="anyone")
    began_ms = stage.now_ms
    stage.commit(stage.trainers[:2])
    assert stage.phase == Phase.REVEAL.value
    commitment = cast.update_commitment(stage.place("trainer2"), root=cast.root_of("trainer2"))
    late = ("commit", 0, commitment)
    refusal = stage.refused(*late, by="trainer2", value=stage.offer.bond)
    assert refusal == Rule.WRONG_PHASE.value
    assert (began_ms + stage.offer.windows[1], 0, 2) in stage.system.waiting()
    stage.reveal(stage.trainers[:2])
    stage.attest(0b11)
    stage.score([HONEST] * 2)
    stage.vote()
    stage.report()
    stage.wait(1_000)
    assert stage.system.view_task(0).version == 1


def test_every_rule_is_refused_in_the_words_of_the_reference() -> None:
    module = compile_contract(read_source("rounds"), filename="rounds.contract")
    words = {one.value for one in module.constants if one.type == types.STR}
    # That a method takes no money is the machine's to refuse.
    rules = {rule.value.encode() for rule in Rule if rule is not Rule.NO_MONEY_WANTED}
    assert words == rules


def test_burned_money_goes_to_the_account_from_which_the_chain_burns() -> None:
    assert f'BURNED = address("{SystemAccount.BURNED.address.hex()}")' in read_source("rounds")


def test_the_module_is_half_as_large_as_a_module_may_be() -> None:
    module = compile_contract(read_source("rounds"), filename="rounds.contract")
    assert len(encode_module(module)) * 2 < MODULE_BYTES_MAX
