"""Ledger values for tests: fixed keys, a chain with money, transactions that enter."""

import functools
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from node.ledger.account import Account
from node.ledger.admission import EntryContext, NonceRule, intrinsic_gas
from node.ledger.chain import ChainRecord, Supply
from node.ledger.checkpoint import (
    NO_CHECKPOINT,
    Certificate,
    Checkpoint,
    bitmap_of,
    sign_checkpoint,
)
from node.ledger.committee import Seat, Seats
from node.ledger.genesis import Genesis, GenesisAccount, GenesisContract, GenesisValidator
from node.ledger.overlay import Overlay
from node.ledger.parameters import LedgerParameters, LimitParameters
from node.ledger.receipt import Event, Receipt, ReceiptStatus
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Bond,
    Call,
    Delegate,
    Deploy,
    Evidence,
    EvidenceKind,
    Redelegate,
    RotateKeys,
    SignedTransaction,
    Transaction,
    Transfer,
    Unbond,
    Undelegate,
    Unjail,
    Withdraw,
    sign_transaction,
)
from primitives.ids import (
    Address,
    AuthorityIndex,
    ChainId,
    CommitIndex,
    Digest,
    Epoch,
    Gas,
    Grain,
    Height,
    Power,
    TimestampMs,
)
from primitives.keys import PrivateKey

CHAIN: Final = ChainId(b"\xc1" * 32)
NOW: Final = TimestampMs(1_700_000_000_000)
BASE_FEE: Final = Grain(1_000)
LIMITS: Final = LimitParameters()


class Dictionary:
    """A state in memory."""

    def __init__(self, entries: Mapping[bytes, bytes] | None = None) -> None:
        self.entries = dict(entries or {})

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def apply(self, overlay: Overlay) -> None:
        """Take over the writes of a commit."""
        for key, value in overlay.changes().items():
            if value is None:
                del self.entries[key]
            else:
                self.entries[key] = value


def fresh_overlay() -> Overlay:
    """Return an overlay over a state in which there is nothing."""
    return Overlay(Dictionary())


@functools.cache
def key_of(number: int) -> PrivateKey:
    """Return a key, the same in every test."""
    return PrivateKey.from_seed(number.to_bytes(32, "big"))


def address_of(number: int) -> Address:
    """Return the address of the key with the number."""
    return Address(key_of(number).public.raw)


def transaction(action: Action | None = None, *, sender: int = 1, **fields: object) -> Transaction:
    """Return a transaction that may enter; `fields` replaces what a test is about."""
    made = Transaction(
        chain_id=CHAIN,
        sender=address_of(sender),
        nonce=0,
        gas_limit=Gas(1_000_000),
        fee_per_gas_max=Grain(2_000),
        tip_per_gas=Grain(10),
        valid_until=TimestampMs(NOW + 60_000),
        action=action or Transfer(address_of(2), Grain(5)),
    )
    return msgspec.structs.replace(made, **fields)


def signed(made: Transaction | None = None, *, signer: int = 1) -> SignedTransaction:
    """Return the transaction with the signature of a numbered key."""
    return sign_transaction(made or transaction(), key_of(signer))


def encoded(made: Transaction | None = None, *, signer: int = 1) -> bytes:
    """Return the bytes of a signed transaction."""
    return SIGNED_TRANSACTION_CODEC.encode(signed(made, signer=signer))


def exact_gas(made: Transaction) -> Gas:
    """Return the intrinsic gas of the transaction once it is signed."""
    return intrinsic_gas(made.action, size_bytes=len(encoded(made)))


def entry_context(rule: NonceRule = NonceRule.NEXT) -> EntryContext:
    """Return what a commit at `NOW` compares transactions with."""
    return EntryContext(
        chain_id=CHAIN, now_ms=NOW, base_fee=BASE_FEE, limits=LIMITS, nonce_rule=rule
    )


NOBODY: Final = Address(bytes(32))
KEY: Final = b"\x0b" * 32
ACTIONS: Final[Mapping[str, Action]] = {
    "transfer": Transfer(NOBODY, Grain(5)),
    "deploy": Deploy(b"code", b"", Grain(7)),
    "call": Call(contract=NOBODY, method="m", arguments=b"", value=Grain(9)),
    "bond": Bond(
        consensus_key=KEY, node_key=KEY, possession=bytes(64), commission_bp=10, amount=Grain(11)
    ),
    "unbond": Unbond(Grain(3)),
    "delegate": Delegate(NOBODY, Grain(13)),
    "undelegate": Undelegate(NOBODY, Grain(3)),
    "redelegate": Redelegate(source=NOBODY, destination=NOBODY, amount=Grain(3)),
    "unjail": Unjail(),
    "rotate keys": RotateKeys(KEY, KEY, bytes(64)),
    "evidence": Evidence(EvidenceKind.EQUIVOCATION, b"proof"),
    "withdraw": Withdraw(NOBODY),
}
"""One action of every kind."""

RICH: Final = Account(nonce=0, balance=Grain(10**18))


def chain_record(supply: int = 0) -> ChainRecord:
    """Return the record of a chain before its first commit."""
    return ChainRecord(
        chain_id=CHAIN,
        time_ms=NOW,
        epoch_started_ms=NOW,
        base_fee=BASE_FEE,
        supply=Supply(Grain(supply)),
    )


def seats_with(*powers: int, first_key: int = 0) -> Seats:
    """Return a committee whose seat i signs with key `first_key` + i."""
    return tuple(
        Seat(Power(power), key_of(first_key + seat).public.raw) for seat, power in enumerate(powers)
    )


def checkpoint(index: int = 1, **fields: object) -> Checkpoint:
    """Return the checkpoint of a commit of epoch 0, one per commit, without predecessors."""
    made = Checkpoint(
        chain_id=CHAIN,
        epoch=Epoch(0),
        number=index - 1,
        commit_index=CommitIndex(index),
        height=Height(index),
        commit_digest=Digest(index.to_bytes(32, "big")),
        timestamp_ms=TimestampMs(NOW + index),
        state_root=Digest(b"\x51" * 32),
        receipts_root=Digest(b"\x52" * 32),
        previous=NO_CHECKPOINT,
        next_committee=None,
    )
    return msgspec.structs.replace(made, **fields)


def certificate_of(made: Checkpoint, seats: Seats, *, signers: tuple[int, ...]) -> Certificate:
    """Return the certificate that these seats sign; their keys are those of `seats_with`."""
    keys = {key_of(number).public.raw: key_of(number) for number in range(64)}
    authors = tuple(AuthorityIndex(author) for author in signers)
    return Certificate(
        made,
        bitmap_of(authors, seat_count=len(seats)),
        tuple(
            sign_checkpoint(made, author=author, key=keys[seats[author].consensus_key]).signature
            for author in authors
        ),
    )


def receipts() -> tuple[Receipt, ...]:
    """Return one receipt of every kind."""
    event = Event(Address(b"\x0c" * 32), "Added", b"\x01\x02")
    return (
        Receipt(
            transaction_id=Digest(b"\x01" * 32),
            status=ReceiptStatus.DONE,
            gas_used=Gas(9_000),
            fee=Grain(9_090_000),
            events=(event, event),
            result=b"\x2a",
            created=Address(b"\x0d" * 32),
        ),
        Receipt(
            transaction_id=Digest(b"\x02" * 32),
            status=ReceiptStatus.FAILED,
            code="vm-reverted",
            gas_used=Gas(7_000),
            fee=Grain(7_070_000),
            trap="amount must be positive",
        ),
        Receipt(
            transaction_id=Digest(b"\x03" * 32),
            status=ReceiptStatus.REFUSED,
            code="transaction-nonce-replayed",
        ),
    )


def genesis(**fields: object) -> Genesis:
    """Return the start of a chain with four validators, one rich account and one contract."""
    made = Genesis(
        name="test",
        time_ms=NOW,
        parameters=LedgerParameters(),
        accounts=(GenesisAccount(address_of(1), Grain(10**18)),),
        validators=tuple(
            GenesisValidator(
                operator=address_of(10 + number),
                consensus_key=key_of(20 + number).public.raw,
                node_key=key_of(30 + number).public.raw,
                commission_bp=500,
                stake=Grain(20_000 * 10**9),
            )
            for number in range(4)
        ),
        contracts=(GenesisContract("tasks", b"module", b"arguments"),),
    )
    return msgspec.structs.replace(made, **fields)


def changes_of(raw: bytes) -> Iterator[bytes]:
    """Yield the file with one bit of one byte turned, for every byte; shorter; and longer."""
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        yield bytes(changed)
    yield raw[:-1]
    yield raw + b"\x00"
