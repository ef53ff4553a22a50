import msgspec
import pytest

from node.execution.founding import compiled_contract
from node.execution.local_chain import LocalChain, TransactionFailedError
from node.execution.penalties import EPOCHS_BACK_MAX
from node.ledger.account import SystemAccount
from node.ledger.chain import read_chain
from node.ledger.parameters import LedgerParameters, read_parameters
from node.ledger.receipt import ReceiptStatus
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.queries import holding_of, stake_of
from node.ledger.staking.tables import read_committee
from node.ledger.staking.term import Term
from node.ledger.transaction import Undelegate
from primitives.ids import DurationMs, Grain

HOUR_MS = 3_600_000
SMALL_STAKES = StakingParameters(
    stake_join_min=Grain(1),
    stake_leave_min=Grain(1),
    stake_drop_min=Grain(1),
    stake_pool_min=Grain(1),
    delegation_min=Grain(1),
)

COURT = """
class Court(Contract):
    @external
    def slash(self, who: Address, basis_points: Int, at_ms: Int):
        emit("SlashDue", who=who, basis_points=basis_points, at_ms=at_ms)

    @external
    def slash_many(self, who: List[Address], basis_points: Int):
        for one in who:
            emit("SlashDue", who=one, basis_points=basis_points, at_ms=now())

    @external
    def slash_and_fail(self, who: Address):
        emit("SlashDue", who=who, basis_points=1_000, at_ms=now())
        fail("on second thoughts")

    @external
    def slash_later(self, who: Address, is_sure: Bool):
        schedule(now() + 1_000, self.ring, who, is_sure, gas=100_000)

    @scheduled
    def ring(self, who: Address, is_sure: Bool):
        emit("SlashDue", who=who, basis_points=1_000, at_ms=now())
        require(is_sure, "on second thoughts")

    @external
    def warn(self, who: Address):
        emit("SlashThreatened", who=who, basis_points=1_000, at_ms=now())
"""

OTHER_COURT = """
class Court(Contract):
    @external
    def slash(self, who: Address, basis_points: Int):
        emit("SlashDue", who=who, basis_points=basis_points)
"""


def chain_with_court(
    *, name: str = "disputes", source: str = COURT, staking: StakingParameters = SMALL_STAKES
) -> LocalChain:
    parameters = LedgerParameters(staking=staking, trusting_period_ms=DurationMs(3_600_000))
    return LocalChain(parameters=parameters, contracts=[compiled_contract(name, source)])


def slash(chain: LocalChain, who: str, points: int, *, at_ms: int | None = None) -> None:
    asked_ms = chain.now_ms if at_ms is None else at_ms
    chain.contract("disputes").slash(chain.account(who), points, asked_ms)


def stake(chain: LocalChain, number: int = 0) -> int:
    return stake_of(chain.state, chain.account(f"validator-{number}"))


def leaving(chain: LocalChain, number: int = 0) -> int:
    operator = chain.account(f"validator-{number}")
    term = Term(read_chain(chain.state).epoch, read_parameters(chain.state).staking)
    return holding_of(chain.state, term=term, validator=operator, delegator=operator).leaving


def leave_half(chain: LocalChain, number: int = 0) -> None:
    operator = chain.account(f"validator-{number}")
    chain.send(Undelegate(operator, Grain(stake(chain, number) // 2)), sender=f"validator-{number}")


def turn_epoch(chain: LocalChain) -> None:
    chain.advance(HOUR_MS)


def test_what_the_disputes_contract_decided_is_taken_from_the_stake_and_burned() -> None:
    chain = chain_with_court()
    before = stake(chain)
    bonded = chain.balance(SystemAccount.STAKE.address)
    burned = read_chain(chain.state).supply.burned
    slash(chain, "validator-0", 1_000)
    lost = before // 10
    assert stake(chain) == before - lost
    assert chain.balance(SystemAccount.STAKE.address) == bonded - lost
    fee = chain.receipts[-1].fee
    assert read_chain(chain.state).supply.burned == burned + lost + fee
    assert stake(chain, 1) == before


@pytest.mark.parametrize(
    ("asked", "taken"),
    [(-5, 0), (0, 0), (1, 1), (3_000, 3_000), (3_001, 3_000), (2**255 - 1, 3_000)],
)
def test_one_decision_costs_at_most_thirty_percent(asked: int, taken: int) -> None:
    chain = chain_with_court()
    before = stake(chain)
    slash(chain, "validator-0", asked)
    assert stake(chain) == before - before * taken // 10_000


def test_an_empty_stake_loses_nothing_more() -> None:
    chain = chain_with_court()
    for _ in range(5):
        slash(chain, "validator-0", 3_000)
    assert stake(chain) == 0
    assert stake(chain, 1) > 0


def test_who_is_no_validator_loses_nothing() -> None:
    chain = chain_with_court()
    bonded = chain.balance(SystemAccount.STAKE.address)
    money = chain.balance(chain.account("bob"))
    slash(chain, "bob", 3_000)
    assert chain.balance(SystemAccount.STAKE.address) == bonded
    assert chain.balance(chain.account("bob")) == money


def test_a_validator_without_a_seat_loses_a_part_of_what_it_has() -> None:
    chain = chain_with_court(staking=msgspec.structs.replace(SMALL_STAKES, committee_size_max=3))
    (unseated,) = [
        number
        for number in range(4)
        if chain.account(f"validator-{number}") not in committee(chain)
    ]
    before = stake(chain, unseated)
    slash(chain, f"validator-{unseated}", 1_000)
    assert stake(chain, unseated) == before - before // 10


def committee(chain: LocalChain) -> list[bytes]:
    members = read_committee(chain.state, read_chain(chain.state).epoch)
    return [member.operator for member in members]


def test_the_same_event_of_any_other_contract_is_only_an_event() -> None:
    chain = chain_with_court(name="court")
    before = stake(chain)
    deployed = chain.deploy(COURT, sender="mallory")
    for court in (deployed, chain.contract("court")):
        court.slash(chain.account("validator-0"), 1_000, chain.now_ms)
        assert [name for name, _ in court.events()] == ["SlashDue"]
    assert stake(chain) == before


def test_a_call_through_disputes_counts_and_one_past_it_does_not() -> None:
    chain = chain_with_court()
    before = stake(chain)
    caller = chain.deploy(
        """
class ICourt(Interface):
    @external
    def slash(self, who: Address, basis_points: Int, at_ms: Int): ...

class Caller(Contract):
    @external
    def both(self, court: Address, one: Address, other: Address):
        ICourt(court).slash(one, 1_000, now())
        emit("SlashDue", who=other, basis_points=1_000, at_ms=now())
"""
    )
    one, other = chain.account("validator-0"), chain.account("validator-1")
    caller.both(chain.contract("disputes").address, one, other)
    assert stake(chain, 0) == before - before // 10
    assert stake(chain, 1) == before


def test_another_event_of_the_disputes_contract_costs_nothing() -> None:
    chain = chain_with_court()
    before = stake(chain)
    chain.contract("disputes").warn(chain.account("validator-0"))
    assert stake(chain) == before


def test_an_event_with_other_fields_costs_nothing() -> None:
    chain = chain_with_court(source=OTHER_COURT)
    before = stake(chain)
    chain.contract("disputes").slash(chain.account("validator-0"), 1_000)
    assert stake(chain) == before


def test_a_transaction_that_fails_slashes_nobody() -> None:
    chain = chain_with_court()
    before = stake(chain)
    with pytest.raises(TransactionFailedError):
        chain.contract("disputes").slash_and_fail(chain.account("validator-0"))
    assert stake(chain) == before


def test_one_transaction_may_slash_several_and_one_several_times() -> None:
    chain = chain_with_court()
    before = stake(chain)
    who = [chain.account(f"validator-{number}") for number in (0, 1, 0)]
    chain.contract("disputes").slash_many(who, 1_000)
    assert [stake(chain, number) for number in (0, 1, 2)] == [
        before - 2 * (before // 10),
        before - before // 10,
        before,
    ]


def test_a_woken_call_slashes_too_unless_it_fails() -> None:
    chain = chain_with_court()
    before = stake(chain)
    court = chain.contract("disputes")
    court.slash_later(chain.account("validator-0"), True)
    court.slash_later(chain.account("validator-1"), False)
    statuses = [receipt.status for receipt in chain.advance(1_000)]
    assert statuses == [ReceiptStatus.DONE, ReceiptStatus.FAILED]
    assert stake(chain, 0) == before - before // 10
    assert stake(chain, 1) == before


def test_stake_that_left_after_the_request_is_liable() -> None:
    chain = chain_with_court()
    requested_ms, before = chain.now_ms + 1, stake(chain)
    chain.advance(1_000)
    leave_half(chain)
    turn_epoch(chain)
    left, stayed = leaving(chain), stake(chain)
    slash(chain, "validator-0", 1_000, at_ms=requested_ms)
    # What stayed pays for what left, as long as it covers the whole penalty.
    assert leaving(chain) == left
    assert stake(chain) == stayed - before // 10


def test_stake_that_left_before_the_request_is_not_liable() -> None:
    chain = chain_with_court()
    chain.advance(1_000)
    leave_half(chain)
    turn_epoch(chain)
    chain.advance(1_000)
    left, before = leaving(chain), stake(chain)
    slash(chain, "validator-0", 1_000)
    assert leaving(chain) == left
    assert stake(chain) == before - before // 10


def test_the_commit_that_closes_an_epoch_belongs_to_it() -> None:
    chain = chain_with_court()
    before = stake(chain)
    chain.advance(1_000)
    leave_half(chain)
    turn_epoch(chain)
    closed_ms, stayed = chain.now_ms, stake(chain)
    chain.advance(1_000)
    slash(chain, "validator-0", 1_000, at_ms=closed_ms)
    assert stake(chain) == stayed - before // 10


@pytest.mark.parametrize("at_ms", [0, -(2**255)])
def test_an_old_request_counts_from_the_oldest_epoch_that_is_looked_at(at_ms: int) -> None:
    chain = chain_with_court()
    chain.advance(1_000)
    leave_half(chain)
    for _ in range(EPOCHS_BACK_MAX + 1):
        turn_epoch(chain)
    left, before = leaving(chain), stake(chain)
    slash(chain, "validator-0", 1_000, at_ms=at_ms)
    assert leaving(chain) == left
    assert stake(chain) < before


def test_a_request_from_before_the_evidence_window_reaches_nothing_that_is_free() -> None:
    staking = msgspec.structs.replace(SMALL_STAKES, unbonding_epochs=2, evidence_window_epochs=1)
    chain = chain_with_court(staking=staking)
    chain.advance(1_000)
    leave_half(chain)
    for _ in range(3):
        turn_epoch(chain)
    left, before = leaving(chain), stake(chain)
    slash(chain, "validator-0", 1_000, at_ms=0)
    assert leaving(chain) == left
    assert stake(chain) < before
