"""What one client follows, without a socket: who gets what, and for what no state is read."""

import pytest

from node.chain.feed import CommitExecuted
from node.federation.calls import IDENTITY, ROUNDS
from node.ledger.receipt import Event, Receipt, ReceiptStatus
from node.rpc.limits import Quota
from node.rpc.stream_schemas import CommitNotice
from node.rpc.topics import LogAccess, Topics
from primitives.ids import Address, CommitIndex, Digest, Epoch, Gas, Grain, Height, TimestampMs


def executed(*contracts: Address) -> CommitExecuted:
    """Return a commit with a receipt in which each of some contracts told something."""
    events = tuple(Event(contract=contract, name="Told", fields=b"") for contract in contracts)
    receipt = Receipt(
        transaction_id=Digest(bytes(32)),
        status=ReceiptStatus.DONE,
        code="",
        gas_used=Gas(1),
        fee=Grain(1),
        events=events,
        result=b"",
    )
    return CommitExecuted(
        epoch=Epoch(0),
        commit_index=CommitIndex(1),
        height=Height(1),
        time_ms=TimestampMs(1),
        digest=Digest(bytes(32)),
        state_root=Digest(bytes(32)),
        receipts=(receipt,),
        checkpoint=None,
        next_members=None,
    )


def topics(*messages: str) -> Topics:
    found = Topics(Quota(9), client="127.0.0.1", logs=LogAccess.NO)
    for message in messages:
        found.handle(message, height=0)
    assert not found.faults.count
    return found


COMMITS = '{"type":"subscribe","id":1,"topic":"commits"}'
ALL_ROUNDS = '{"type":"subscribe","id":2,"topic":"rounds"}'
OWN = f'{{"type":"subscribe","id":3,"topic":"events","contract":"{IDENTITY.hex()}"}}'


def test_commit_is_told_without_a_state() -> None:
    following = topics(COMMITS, ALL_ROUNDS)
    (notice,) = following.notices(executed(IDENTITY))
    assert isinstance(notice, CommitNotice)
    assert (notice.id, notice.receipts) == (1, 1)


@pytest.mark.parametrize(
    ("message", "concerned"), [(COMMITS, []), (ALL_ROUNDS, [ROUNDS]), (OWN, [IDENTITY])]
)
def test_state_is_wanted_only_for_what_the_client_follows(
    message: str, concerned: list[Address]
) -> None:
    places = topics(message).places(executed(IDENTITY, ROUNDS))
    assert [place.event.contract for place in places] == concerned
    assert topics(message).places(executed()) == ()
