import msgspec
import pytest

from node.execution.deployed import DeployedContract
from node.execution.local_chain import LocalChain
from node.ledger.account import SystemAccount
from node.ledger.chain import read_chain, write_chain
from node.ledger.overlay import Overlay
from node.ledger.staking.queries import stake_of
from primitives.ids import Height
from tests.contracts.cast import refused

APPEAL_HEIGHTS = 64
VOTE_HEIGHTS = 4_096
DEPOSIT = 10 * 10**9
STATEMENT = bytes(range(32))
WAITING, APPEALED, SLASHED, LIFTED = 1, 2, 3, 4
WRONG_AGGREGATE = 6


@pytest.fixture(name="disputes")
def _disputes(chain: LocalChain) -> DeployedContract:
    return chain.contract("disputes")


def request(chain: LocalChain, *, who: str = "validator-0", points: int = 1_000) -> int:
    """Have `rounds` request a slash; return its number."""
    number = chain.contract("disputes").request_count()
    assert isinstance(number, int)
    chain.contract("rounds").request(2, 5, chain.account(who), WRONG_AGGREGATE, points)
    return number


def appeal(chain: LocalChain, number: int, *, sender: str = "validator-0") -> None:
    chain.contract("disputes").appeal(number, STATEMENT, sender=sender, value=DEPOSIT)


def pass_commits(chain: LocalChain, count: int) -> None:
    for _ in range(count):
        chain.commit(())


def skip_commits(chain: LocalChain, count: int) -> None:
    """Make the chain as high as if so many commits had passed."""
    overlay = Overlay(chain.state)
    record = read_chain(overlay)
    write_chain(overlay, msgspec.structs.replace(record, height=Height(record.height + count)))
    chain.state.write(dict(overlay.changes()))


def state_of(chain: LocalChain, number: int) -> object:
    found = chain.contract("disputes").find(number)
    assert isinstance(found, dict)
    return found["state"]


def stake(chain: LocalChain, name: str) -> int:
    return stake_of(chain.state, chain.account(name))


def test_rounds_requests_a_slash_which_waits(chain: LocalChain, disputes: DeployedContract) -> None:
    request(chain)
    assert disputes.find(0) == {
        "task": 2,
        "round": 5,
        "who": chain.account("validator-0"),
        "fault": WRONG_AGGREGATE,
        "basis_points": 1_000,
        "at_ms": chain.now_ms,
        "state": WAITING,
        "until": 1 + APPEAL_HEIGHTS,
    }
    assert disputes.find(1) is None


def test_only_rounds_may_request_a_slash(chain: LocalChain, disputes: DeployedContract) -> None:
    for outsider in ("alice", "validator-1"):
        with refused("only rounds may request"):
            disputes.request(2, 5, chain.account("validator-0"), 6, 1_000, sender=outsider)


@pytest.mark.parametrize(("asked", "kept"), [(-1, 0), (0, 0), (3_000, 3_000), (3_001, 3_000)])
def test_a_request_takes_at_most_thirty_percent_and_never_fails(
    chain: LocalChain, disputes: DeployedContract, asked: int, kept: int
) -> None:
    found = disputes.find(request(chain, points=asked))
    assert isinstance(found, dict)
    assert found["basis_points"] == kept


def test_nothing_is_slashed_before_64_commits(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number = request(chain)
    pass_commits(chain, APPEAL_HEIGHTS - 2)
    with refused("the time is not over"):
        disputes.execute(number)
    disputes.execute(number)
    assert state_of(chain, number) == SLASHED


def test_anyone_may_execute_what_nobody_appealed(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number, before = request(chain, points=1_000), stake(chain, "validator-0")
    at_ms = chain.now_ms
    pass_commits(chain, APPEAL_HEIGHTS)
    disputes.execute(number, sender="mallory")
    due = {"who": chain.account("validator-0"), "basis_points": 1_000, "at_ms": at_ms}
    ended = {"number": number, "state": SLASHED}
    assert disputes.events() == [("Ended", ended), ("SlashDue", due)]
    assert stake(chain, "validator-0") == before - before // 10


def test_a_request_is_executed_once(chain: LocalChain, disputes: DeployedContract) -> None:
    number = request(chain)
    pass_commits(chain, APPEAL_HEIGHTS)
    disputes.execute(number)
    before = stake(chain, "validator-0")
    with refused("the request has ended"):
        disputes.execute(number)
    assert stake(chain, "validator-0") == before


def test_what_was_not_requested_has_no_dispute(disputes: DeployedContract) -> None:
    with refused("there is no such request"):
        disputes.execute(0)
    with refused("there is no such request"):
        disputes.vote(0, True)
    with refused("there is no such request"):
        disputes.appeal(-1, STATEMENT, value=DEPOSIT)


def test_the_accused_appeals_with_a_deposit(chain: LocalChain, disputes: DeployedContract) -> None:
    number = request(chain)
    appeal(chain, number)
    assert state_of(chain, number) == APPEALED
    assert chain.balance(disputes.address) == DEPOSIT
    with refused("the request takes no appeal"):
        appeal(chain, number)


def test_only_the_accused_appeals(chain: LocalChain) -> None:
    number = request(chain)
    with refused("only the accused may appeal"):
        appeal(chain, number, sender="validator-1")


@pytest.mark.parametrize("value", [0, DEPOSIT - 1, DEPOSIT + 1])
def test_an_appeal_takes_the_deposit_exactly(
    chain: LocalChain, disputes: DeployedContract, value: int
) -> None:
    number = request(chain)
    with refused("an appeal takes a deposit of 10000000000"):
        disputes.appeal(number, STATEMENT, sender="validator-0", value=value)
    assert chain.balance(disputes.address) == 0


def test_a_statement_is_a_hash(chain: LocalChain, disputes: DeployedContract) -> None:
    number = request(chain)
    with refused("a statement is a hash of 32 bytes"):
        disputes.appeal(number, b"I did not", sender="validator-0", value=DEPOSIT)


def test_an_appeal_comes_within_64_commits(chain: LocalChain) -> None:
    late, in_time = request(chain), request(chain)
    pass_commits(chain, APPEAL_HEIGHTS - 2)
    appeal(chain, in_time)
    with refused("the time to appeal is over"):
        appeal(chain, late)


def test_an_appeal_keeps_the_slash_waiting(chain: LocalChain, disputes: DeployedContract) -> None:
    number, before = request(chain), stake(chain, "validator-0")
    appeal(chain, number)
    pass_commits(chain, APPEAL_HEIGHTS)
    with refused("the time is not over"):
        disputes.execute(number)
    assert stake(chain, "validator-0") == before


def test_two_thirds_lift_a_request_and_the_deposit_goes_back(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number, before = request(chain), stake(chain, "validator-0")
    appeal(chain, number)
    money = chain.balance(chain.account("validator-0"))
    for voter in ("validator-1", "validator-2"):
        disputes.vote(number, True, sender=voter)
    assert state_of(chain, number) == APPEALED
    disputes.vote(number, True, sender="validator-3")
    assert state_of(chain, number) == LIFTED
    assert chain.balance(chain.account("validator-0")) == money + DEPOSIT
    assert chain.balance(disputes.address) == 0
    pass_commits(chain, APPEAL_HEIGHTS)
    with refused("the request has ended"):
        disputes.execute(number)
    assert stake(chain, "validator-0") == before


def test_two_thirds_uphold_a_request_at_once_and_the_deposit_is_burned(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number, before = request(chain, points=3_000), stake(chain, "validator-0")
    appeal(chain, number)
    burned, count = read_chain(chain.state).supply.burned, len(chain.receipts)
    for voter in ("validator-1", "validator-2", "validator-3"):
        disputes.vote(number, False, sender=voter)
    fees = sum(receipt.fee for receipt in chain.receipts[count:])
    slashed = before * 3 // 10
    assert read_chain(chain.state).supply.burned == burned + fees + slashed + DEPOSIT
    assert state_of(chain, number) == SLASHED
    assert stake(chain, "validator-0") == before - slashed
    assert chain.balance(disputes.address) == 0
    with refused("the request has ended"):
        disputes.execute(number)


def test_without_two_thirds_the_slash_stands_and_the_deposit_goes_back(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number, before = request(chain, points=100), stake(chain, "validator-0")
    appeal(chain, number)
    disputes.vote(number, True, sender="validator-1")
    disputes.vote(number, False, sender="validator-2")
    skip_commits(chain, VOTE_HEIGHTS - 2)
    with refused("the vote is over"):
        disputes.vote(number, True, sender="validator-3")
    money = chain.balance(chain.account("validator-0"))
    disputes.execute(number, sender="mallory")
    assert state_of(chain, number) == SLASHED
    assert stake(chain, "validator-0") == before - before // 100
    assert chain.balance(chain.account("validator-0")) == money + DEPOSIT
    assert chain.balance(disputes.address) == 0


def test_only_validators_vote_and_never_on_their_own_case(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number = request(chain)
    with refused("there is no vote"):
        disputes.vote(number, True, sender="validator-1")
    appeal(chain, number)
    with refused("only validators vote"):
        disputes.vote(number, True, sender="alice")
    with refused("the accused has no vote"):
        disputes.vote(number, True, sender="validator-0")


def test_a_validator_votes_once(chain: LocalChain, disputes: DeployedContract) -> None:
    number = request(chain)
    appeal(chain, number)
    disputes.vote(number, True, sender="validator-1")
    for lift in (True, False):
        with refused("you have voted"):
            disputes.vote(number, lift, sender="validator-1")
    assert disputes.tally(number, 1) == 2_500
    assert disputes.tally(number, 2) == 0


def test_votes_for_one_request_count_for_no_other(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    one, other = request(chain), request(chain)
    for number in (one, other):
        appeal(chain, number)
    for voter in ("validator-1", "validator-2", "validator-3"):
        disputes.vote(one, True, sender=voter)
    assert state_of(chain, other) == APPEALED
    assert chain.balance(disputes.address) == DEPOSIT


def test_a_trainer_without_stake_loses_none_and_blocks_nothing(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number = request(chain, who="alice")
    pass_commits(chain, APPEAL_HEIGHTS)
    bonded = chain.balance(SystemAccount.STAKE.address)
    disputes.execute(number, sender="bob")
    assert state_of(chain, number) == SLASHED
    assert chain.balance(SystemAccount.STAKE.address) == bonded


def test_a_trainer_without_stake_may_appeal_too(
    chain: LocalChain, disputes: DeployedContract
) -> None:
    number = request(chain, who="alice")
    appeal(chain, number, sender="alice")
    for voter in ("validator-0", "validator-1", "validator-2"):
        disputes.vote(number, True, sender=voter)
    assert state_of(chain, number) == LIFTED


def test_every_method_costs_bounded_gas(chain: LocalChain, disputes: DeployedContract) -> None:
    gas: dict[str, int] = {}
    number = request(chain)
    gas["request"] = chain.receipts[-1].gas_used
    appeal(chain, number)
    gas["appeal"] = chain.receipts[-1].gas_used
    for voter in ("validator-1", "validator-2", "validator-3"):
        disputes.vote(number, False, sender=voter)
    gas["vote"] = disputes.gas_used
    other = request(chain)
    pass_commits(chain, APPEAL_HEIGHTS)
    disputes.execute(other)
    gas["execute"] = disputes.gas_used
    limits = {"request": 25_000, "appeal": 20_000, "vote": 30_000, "execute": 15_000}
    assert {name: used for name, used in gas.items() if used > limits[name]} == {}
