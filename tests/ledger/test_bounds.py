"""The greatest value of each type fits the bound of its codec: what we may make, all can read."""

import msgspec
import pytest
from msgspec import inspect

from node.ledger.account import ACCOUNT_CODEC, Account
from node.ledger.chain import CHAIN_CODEC, ChainRecord, Supply
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    CHECKPOINT_CODEC,
    VOTE_CODEC,
    Certificate,
    Checkpoint,
    CheckpointVote,
)
from node.ledger.committee import SEATS_CODEC, SEATS_MAX, Seat
from node.ledger.conflict import CONFLICT_BYTES_MAX, CONFLICT_CODEC, CheckpointConflict
from node.ledger.contract import (
    CONTRACT_CODEC,
    CONTRACT_NAME_LENGTH_MAX,
    ContractRecord,
    genesis_contract_address,
)
from node.ledger.light_client import ANCHOR_CODEC, Anchor
from node.ledger.parameters import PARAMETERS_CODEC, LedgerParameters
from node.ledger.receipt import (
    CODE_LENGTH_MAX,
    RESULT_BYTES_MAX,
    TRAP_LENGTH_MAX,
    Receipt,
    ReceiptStatus,
)
from node.ledger.receipt import RECEIPT_CODEC as RECEIPTS
from node.ledger.transaction import (
    ARGUMENTS_BYTES_MAX,
    CODE_BYTES_MAX,
    EVIDENCE_BYTES_MAX,
    METHOD_LENGTH_MAX,
    SIGNED_TRANSACTION_CODEC,
    Action,
    Call,
    Deploy,
    Evidence,
    EvidenceKind,
    SignedTransaction,
    Transaction,
)
from node.ledger.wire import INT63_MAX
from primitives.ids import Address, AuthorityIndex, Digest, Grain, Height, Power

WORD = b"\xff" * 32
MARK = bytes(64)
GRAIN = Grain(INT63_MAX)


def greatest(kind: type[msgspec.Struct]) -> dict[str, object]:
    """Return the greatest integer for every field that is one, and a word for every other."""
    struct = inspect.type_info(kind)
    assert isinstance(struct, inspect.StructType)
    return {
        field.encode_name: INT63_MAX if isinstance(field.type, inspect.IntType) else WORD
        for field in struct.fields
    }


CHECKPOINT = Checkpoint(
    **greatest(Checkpoint)  # type: ignore[arg-type]
)
VOTE = CheckpointVote(CHECKPOINT, AuthorityIndex(INT63_MAX), MARK)
SEATS = tuple(Seat(Power(INT63_MAX), WORD) for _ in range(SEATS_MAX))
SECTIONS = ("fees", "limits", "staking", "consensus")


def greatest_parameters() -> LedgerParameters:
    usual = LedgerParameters()
    sections = {
        name: type(getattr(usual, name))(**greatest(type(getattr(usual, name))))
        for name in SECTIONS
    }
    return LedgerParameters(**(greatest(LedgerParameters) | sections))  # type: ignore[arg-type]


def test_an_account_fits() -> None:
    ACCOUNT_CODEC.encode(Account(nonce=INT63_MAX, balance=GRAIN))


def test_the_chain_record_fits() -> None:
    supply = Supply(GRAIN, GRAIN, GRAIN)
    fields = greatest(ChainRecord) | {"supply": supply}
    record = ChainRecord(**fields)  # type: ignore[arg-type]
    assert CHAIN_CODEC.decode(CHAIN_CODEC.encode(record)) == record


def test_parameters_fit() -> None:
    parameters = greatest_parameters()
    assert PARAMETERS_CODEC.decode(PARAMETERS_CODEC.encode(parameters)) == parameters


def test_a_checkpoint_a_vote_and_a_conflict_fit() -> None:
    assert CHECKPOINT_CODEC.decode(CHECKPOINT_CODEC.encode(CHECKPOINT)) == CHECKPOINT
    VOTE_CODEC.encode(VOTE)
    CONFLICT_CODEC.encode(CheckpointConflict(VOTE, VOTE))


def test_a_conflict_fits_a_transaction() -> None:
    assert CONFLICT_BYTES_MAX <= EVIDENCE_BYTES_MAX


def test_the_largest_committee_fits() -> None:
    SEATS_CODEC.encode(SEATS)
    ANCHOR_CODEC.encode(Anchor(CHECKPOINT, SEATS))
    CERTIFICATE_CODEC.encode(Certificate(CHECKPOINT, bytes(SEATS_MAX // 8), (MARK,) * SEATS_MAX))


def test_a_contract_record_and_the_longest_name_fit() -> None:
    CONTRACT_CODEC.encode(ContractRecord(Digest(WORD), Address(WORD), Height(INT63_MAX)))
    genesis_contract_address("\U0001f600" * CONTRACT_NAME_LENGTH_MAX)


def test_a_receipt_with_the_longest_texts_fits() -> None:
    receipt = Receipt(
        transaction_id=Digest(WORD),
        status=ReceiptStatus.FAILED,
        code="\U0001f600" * CODE_LENGTH_MAX,
        result=bytes(RESULT_BYTES_MAX),
        trap="\U0001f600" * TRAP_LENGTH_MAX,
    )
    assert RECEIPTS.decode(RECEIPTS.encode(receipt)) == receipt


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(Deploy(bytes(CODE_BYTES_MAX), bytes(12_000), GRAIN), id="deploy"),
        pytest.param(Evidence(EvidenceKind.EQUIVOCATION, bytes(EVIDENCE_BYTES_MAX)), id="evidence"),
        pytest.param(
            Call(
                contract=Address(WORD),
                method="\U0001f600" * METHOD_LENGTH_MAX,
                arguments=bytes(ARGUMENTS_BYTES_MAX),
                value=GRAIN,
            ),
            id="call",
        ),
    ],
)
def test_the_largest_actions_fit_a_transaction(action: Action) -> None:
    fields = greatest(Transaction) | {"action": action}
    made = Transaction(**fields)  # type: ignore[arg-type]
    signed = SignedTransaction(made, MARK)
    assert SIGNED_TRANSACTION_CODEC.decode(SIGNED_TRANSACTION_CODEC.encode(signed)) == signed
