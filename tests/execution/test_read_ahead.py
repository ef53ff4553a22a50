import pytest
from typing_extensions import override

from node.execution.local_chain import LocalChain
from node.execution.read_ahead import read_ahead
from node.ledger.account import account_key
from node.ledger.contract import contract_key
from node.ledger.errors import TrailingBytesError, TransactionSizeError
from node.ledger.overlay import Overlay, StateReader
from node.ledger.parameters import LimitParameters
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, Action, Call, Transfer, Unjail
from primitives.ids import Address, Grain

LIMITS = LimitParameters()
CONTRACT = Address(b"\x07" * 32)


class Asked(StateReader):
    """A state that knows what it was asked for."""

    def __init__(self, chain: LocalChain) -> None:
        self.keys: list[bytes] = []
        self._state = chain.state

    @override
    def get(self, key: bytes) -> bytes | None:
        self.keys.append(key)
        return self._state.get(key)


def call() -> Call:
    return Call(contract=CONTRACT, method="m", arguments=b"", value=Grain(0))


@pytest.mark.parametrize(
    ("action", "others"),
    [
        pytest.param(
            Transfer(LocalChain().account("bob"), Grain(5)),
            [account_key(LocalChain().account("bob"))],
            id="transfer",
        ),
        pytest.param(call(), [contract_key(CONTRACT)], id="call"),
        pytest.param(Unjail(), [], id="unjail"),
    ],
)
def test_what_a_transaction_is_known_to_need_is_read_before_it_runs(
    action: Action, others: list[bytes]
) -> None:
    chain = LocalChain()
    asked = Asked(chain)
    raw = chain.sign(action, sender="alice")
    (item,) = read_ahead(Overlay(asked), [raw], limits=LIMITS)
    assert item.transaction() == SIGNED_TRANSACTION_CODEC.decode(raw)
    assert asked.keys == [account_key(chain.account("alice")), *others]


def test_what_two_transactions_need_is_read_once() -> None:
    chain = LocalChain()
    asked = Asked(chain)
    transfer = chain.sign(Transfer(chain.account("bob"), Grain(5)), sender="alice")
    back = chain.sign(Transfer(chain.account("alice"), Grain(5)), sender="bob")
    read_ahead(Overlay(asked), [transfer, back], limits=LIMITS)
    assert len(asked.keys) == 2


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"garbage", TrailingBytesError, id="garbage"),
        pytest.param(bytes(LIMITS.transaction_bytes_max + 1), TransactionSizeError, id="too long"),
    ],
)
def test_what_is_no_transaction_reads_nothing_and_says_why_when_its_turn_comes(
    raw: bytes, reason: type[Exception]
) -> None:
    asked = Asked(LocalChain())
    (item,) = read_ahead(Overlay(asked), [raw], limits=LIMITS)
    assert not asked.keys
    with pytest.raises(reason):
        item.transaction()
