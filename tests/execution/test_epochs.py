import itertools

import msgspec
import pytest

from consensus.committee import EpochContext
from consensus.events import CloseEpoch, EpochCloseForced
from node.execution.commit import HEARTBEAT_MS, Closing, CommitInput, CommitOutcome, apply_commit
from node.execution.epochs import read_context
from node.execution.errors import ForeignEvidenceError
from node.execution.local_chain import GENESIS_TIME_MS, LocalChain
from node.ledger.account import SystemAccount
from node.ledger.chain import read_chain
from node.ledger.checkpoint import NO_CHECKPOINT, checkpoint_digest
from node.ledger.committee import seats_digest
from node.ledger.parameters import LedgerParameters, read_parameters
from node.ledger.staking.queries import seats_of
from node.ledger.transaction import Transfer
from primitives.ids import CommitIndex, Epoch, Grain, TimestampMs
from tests.consensus.lockstep import Network
from tests.dsl.committee import context_of as committee_context
from tests.execution.accusations import committee_of, context_of

HOUR_MS = 3_600_000


class ClosableChain(LocalChain):
    """A local chain whose epoch consensus may close before its time."""

    def commit_with(self, closing: Closing) -> CommitOutcome:
        given = CommitInput(sub_dag=self._order(()), last_checkpoint=NO_CHECKPOINT, closing=closing)
        outcome = apply_commit(self.state, given, machine=self.machine)
        self.state.write(outcome.changes)
        return outcome


def test_the_first_commit_at_or_after_the_deadline_closes_the_epoch() -> None:
    chain = LocalChain()
    chain.advance(HOUR_MS - 1)
    assert read_chain(chain.state).epoch == 0
    chain.advance(1)
    record = read_chain(chain.state)
    assert (record.epoch, record.commit_index) == (1, 0)
    assert record.epoch_started_ms == GENESIS_TIME_MS + HOUR_MS


@pytest.mark.parametrize("closing", Closing)
def test_the_executor_closes_an_early_commit_if_and_only_if_consensus_did(closing: Closing) -> None:
    outcome = ClosableChain().commit_with(closing)
    assert (outcome.next_members is not None) is (closing is Closing.FORCED)


@pytest.mark.parametrize(("index", "expected"), [(1, 1), (3, 3), (None, None)])
def test_core_and_executor_end_an_epoch_with_the_same_commit(
    index: int | None, expected: int | None
) -> None:
    network = Network(committee_context((1,) * 4))
    seat = network.seats[0]
    for each in network.seats if index else ():
        each.feed(EpochCloseForced(CommitIndex(index or 0)))
    network.run(1_500)
    chain = ClosableChain()
    closed = [close.index for close in seat.of(CloseEpoch)]
    for delivered in seat.delivered[:5]:
        forced = delivered.index in closed
        outcome = chain.commit_with(Closing.FORCED if forced else Closing.BY_TIME)
        if outcome.next_members is not None:
            assert delivered.index == expected
            return
    assert expected is None


def test_the_checkpoint_that_closes_an_epoch_names_the_next_committee() -> None:
    chain = LocalChain()
    chain.now_ms = type(chain.now_ms)(chain.now_ms + HOUR_MS)
    outcome = chain.commit(())
    assert outcome.draft is not None
    assert outcome.next_members == committee_of(chain, epoch=1)
    assert outcome.draft.next_committee == seats_digest(seats_of(committee_of(chain, epoch=1)))


def test_idle_chain_gets_a_checkpoint_every_two_seconds_for_those_who_follow() -> None:
    chain = LocalChain()
    chain.commit(())
    start_ms = chain.now_ms // HEARTBEAT_MS * HEARTBEAT_MS
    drafts = []
    for step_ms in (1, HEARTBEAT_MS - 1, HEARTBEAT_MS, HEARTBEAT_MS + 1, 5 * HEARTBEAT_MS):
        chain.now_ms = TimestampMs(start_ms + HEARTBEAT_MS + step_ms)
        drafts.append(chain.commit(()).draft)
    assert [draft is not None for draft in drafts] == [True, False, True, False, True]


def test_an_idle_commit_needs_no_checkpoint() -> None:
    chain = LocalChain()
    assert chain.commit(()).draft is None
    assert chain.commit([b"garbage"]).draft is not None


def test_checkpoints_form_a_chain_without_gaps() -> None:
    chain = LocalChain()
    drafts = [chain.commit(payload).draft for payload in ([b"1"], [], [b"2"], [b"3"])]
    made = [draft for draft in drafts if draft is not None]
    assert [draft.number for draft in made] == [0, 1, 2]
    for earlier, later in itertools.pairwise(made):
        assert later.previous == checkpoint_digest(earlier)


def test_consensus_gets_every_epoch_with_the_committee_and_limits_of_the_ledger() -> None:
    chain = LocalChain()
    chain.commit(())
    first = context_of(chain)
    chain.advance(HOUR_MS)
    chain.commit(())
    second = context_of(chain, epoch=1)
    assert [a.public_key for a in second.committee.authorities] == [
        member.keys.consensus_key for member in committee_of(chain, epoch=1)
    ]
    assert second.committee.total_power == 10_000
    assert second.span.closes_at_ms == GENESIS_TIME_MS + 2 * HOUR_MS
    assert first.genesis_digest != second.genesis_digest
    agreed = msgspec.structs.asdict(read_parameters(chain.state).consensus)
    assert msgspec.structs.asdict(second.parameters) == agreed


def test_an_epoch_that_never_was_has_no_context() -> None:
    chain = LocalChain()
    with pytest.raises(ForeignEvidenceError):
        read_context(
            chain.state,
            chain_id=chain.chain_id,
            epoch=Epoch(5),
            parameters=LedgerParameters(),
            members=committee_of(chain),
        )


def test_the_epochs_of_two_chains_have_nothing_in_common() -> None:
    def context(chain: LocalChain) -> EpochContext:
        chain.commit(())
        return context_of(chain)

    one = context(LocalChain())
    other = context(LocalChain(parameters=LedgerParameters()))
    assert one.genesis_digest != other.genesis_digest


def test_the_pot_of_an_epoch_is_paid_out_when_it_ends() -> None:
    chain = LocalChain()
    chain.send(Transfer(chain.account("bob"), Grain(5)))
    operators = [member.operator for member in committee_of(chain)]
    before = [chain.balance(operator) for operator in operators]
    chain.advance(HOUR_MS)
    assert chain.balance(SystemAccount.EPOCH_POT.address) == 0
    gains = [
        chain.balance(operator) - held for operator, held in zip(operators, before, strict=True)
    ]
    assert any(gain > 0 for gain in gains)


def test_money_that_is_sent_to_nobody_is_burned_by_the_end_of_the_commit() -> None:
    chain = LocalChain()
    burned = read_chain(chain.state).supply.burned
    receipt = chain.send(Transfer(SystemAccount.BURNED.address, Grain(77)))
    assert chain.balance(SystemAccount.BURNED.address) == 0
    assert read_chain(chain.state).supply.burned == burned + receipt.fee + 77
