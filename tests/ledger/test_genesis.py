from dataclasses import dataclass

import msgspec
import pytest

from consensus.block import HEADER_CODEC, BlockRef, CommitVote, Header
from consensus.evidence import EVIDENCE_CODEC
from consensus.evidence import Evidence as Twins
from consensus.parameters import Parameters
from node.ledger.account import SystemAccount, balance_of
from node.ledger.chain import read_chain
from node.ledger.errors import GenesisError
from node.ledger.genesis import (
    GENESIS_CODEC,
    Genesis,
    GenesisAccount,
    GenesisContract,
    GenesisValidator,
    chain_id_of,
    check_genesis,
    first_committee,
    read_genesis,
    supply_of,
    write_genesis,
)
from node.ledger.overlay import Overlay
from node.ledger.parameters import (
    ConsensusParameters,
    FeeParameters,
    LedgerParameters,
    LimitParameters,
    check_parameters,
    read_parameters,
)
from node.ledger.staking.audit import check_stakes
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.queries import seats_of
from node.ledger.staking.tables import read_committee
from node.ledger.supply import check_supply
from node.ledger.transaction import Evidence, EvidenceKind
from node.ledger.wire import INT63_MAX
from primitives.errors import ConfigurationError
from primitives.ids import (
    Address,
    AuthorityIndex,
    CommitIndex,
    Digest,
    DurationMs,
    Epoch,
    Gas,
    Grain,
    Power,
    Round,
)
from tests.ledger.builders import (
    CHAIN,
    NOW,
    Dictionary,
    address_of,
    encoded,
    genesis,
    key_of,
    transaction,
)

FOUNDERS = genesis().validators


def founder(number: int = 0, **fields: object) -> GenesisValidator:
    return msgspec.structs.replace(FOUNDERS[number], **fields)


def account(number: int, balance: int = 1) -> GenesisAccount:
    return GenesisAccount(address_of(number), Grain(balance))


def parameters(**fields: object) -> LedgerParameters:
    return msgspec.structs.replace(LedgerParameters(), **fields)


def test_a_genesis_file_is_read_as_it_was_written() -> None:
    assert read_genesis(GENESIS_CODEC.encode(genesis())) == genesis()


def test_every_byte_of_the_file_is_part_of_the_chain_id() -> None:
    raw = GENESIS_CODEC.encode(genesis())
    assert all(
        chain_id_of(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]) != chain_id_of(raw)
        for place in range(len(raw))
    )


STAKE_ACCOUNT = GenesisAccount(SystemAccount.STAKE.address, Grain(1))
TWO = tuple(sorted((account(1), account(2)), key=lambda entry: entry.address))
MODULE = GenesisContract("tasks", b"", b"")
REFUSED: dict[str, tuple[Genesis, str]] = {
    "bad parameters": (
        genesis(parameters=parameters(epoch_duration_ms=DurationMs(0))),
        "epoch_duration_ms",
    ),
    "accounts out of order": (genesis(accounts=TWO[::-1]), "ascending"),
    "an account twice": (genesis(accounts=(account(1), account(1))), "ascending"),
    "an account that holds nothing": (genesis(accounts=(account(1, 0),)), "holds nothing"),
    "money in the stake account": (genesis(accounts=(STAKE_ACCOUNT,)), "nobody's stake"),
    "more money than fits": (genesis(accounts=(account(1, INT63_MAX),)), "add up"),
    "two contracts of one name": (genesis(contracts=(MODULE, MODULE)), "twice"),
    "one operator twice": (genesis(validators=(*FOUNDERS, founder())), "validators"),
    "one consensus key twice": (
        genesis(validators=(FOUNDERS[0], founder(1, consensus_key=FOUNDERS[0].consensus_key))),
        "validators",
    ),
    "one node key twice": (
        genesis(validators=(FOUNDERS[0], founder(1, node_key=FOUNDERS[0].node_key))),
        "validators",
    ),
    "a consensus key that is none": (
        genesis(validators=(founder(consensus_key=bytes(32)),)),
        "validators",
    ),
    "an operator that is no key": (
        genesis(validators=(founder(operator=Address(bytes(32))),)),
        "operator",
    ),
    "too little stake": (genesis(validators=(founder(stake=Grain(5)),)), "stake of 5"),
    "too much commission": (genesis(validators=(founder(commission_bp=10_001),)), "validators"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_genesis_that_no_chain_could_start_from_says_what_to_correct(name: str) -> None:
    made, words = REFUSED[name]
    with pytest.raises(GenesisError, match=words):
        check_genesis(made)


def test_accounts_in_order_are_accepted() -> None:
    check_genesis(genesis(accounts=TWO))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x90",
        GENESIS_CODEC.encode(genesis()) + b"\x00",
        GENESIS_CODEC.encode(genesis(validators=())),
        GENESIS_CODEC.encode(genesis(name="")),
    ],
)
def test_bytes_that_are_no_genesis_are_refused(raw: bytes) -> None:
    with pytest.raises(GenesisError, match="not a genesis file"):
        read_genesis(raw)


@dataclass(frozen=True)
class Founded:
    """A state after genesis."""

    overlay: Overlay
    entries: list[tuple[bytes, bytes]]


@pytest.fixture(name="founded", scope="module")
def _founded() -> Founded:
    overlay = Overlay(Dictionary())
    write_genesis(overlay, genesis(), chain_id=CHAIN)
    entries = [(key, value) for key, value in overlay.changes().items() if value is not None]
    return Founded(overlay, entries)


def test_all_the_money_of_genesis_is_there_and_counted(founded: Founded) -> None:
    assert check_supply(founded.entries).genesis == supply_of(genesis())
    assert balance_of(founded.overlay, address_of(1)) == 10**18


def test_the_stake_of_the_founders_is_bonded_from_the_start(founded: Founded) -> None:
    assert check_stakes(founded.entries) == 4 * 20_000 * 10**9
    assert balance_of(founded.overlay, address_of(10)) == 0


def test_the_first_committee_is_that_of_the_file(founded: Founded) -> None:
    seats = seats_of(read_committee(founded.overlay, Epoch(0)))
    assert seats == first_committee(genesis())
    assert [seat.power for seat in seats] == [Power(2_500)] * 4
    assert {seat.consensus_key for seat in seats} == {key_of(20 + n).public.raw for n in range(4)}


def test_the_chain_begins_at_height_zero_and_the_time_of_the_file(founded: Founded) -> None:
    record = read_chain(founded.overlay)
    assert (record.height, record.epoch, record.commit_index, record.checkpoint_count) == (0,) * 4
    assert (record.time_ms, record.epoch_started_ms) == (NOW, NOW)
    assert record.base_fee == genesis().parameters.fees.fee_initial
    assert record.chain_id == CHAIN


def test_the_parameters_are_in_the_state(founded: Founded) -> None:
    assert read_parameters(founded.overlay) == genesis().parameters


def test_the_consensus_parameters_are_those_of_the_consensus_room() -> None:
    kept = msgspec.structs.asdict(ConsensusParameters())
    assert Parameters(**kept) == Parameters()
    assert list(kept) == list(Parameters.__struct_fields__)


BAD_PARAMETERS: dict[str, LedgerParameters] = {
    "fee_min": parameters(fees=FeeParameters(fee_min=Grain(0))),
    "fee_initial": parameters(fees=FeeParameters(fee_initial=Grain(99))),
    "gas_target must be at least": parameters(fees=FeeParameters(gas_target=Gas(0))),
    "gas_target must not": parameters(fees=FeeParameters(gas_target=Gas(2**40))),
    "change_denominator": parameters(fees=FeeParameters(change_denominator=1)),
    "transaction_bytes_max must be 1": parameters(
        limits=LimitParameters(transaction_bytes_max=65_537)
    ),
    "transaction_bytes_max must be at most": parameters(
        limits=LimitParameters(transaction_bytes_max=65_537),
        consensus=ConsensusParameters(transaction_bytes_max=65_537),
    ),
    "transaction_gas_max": parameters(limits=LimitParameters(transaction_gas_max=Gas(2**40))),
    "validity_max_ms": parameters(limits=LimitParameters(validity_max_ms=DurationMs(0))),
    "epoch_duration_ms": parameters(epoch_duration_ms=DurationMs(0)),
    "trusting_period_ms": parameters(trusting_period_ms=DurationMs(2**40)),
    "staking": parameters(staking=StakingParameters(committee_size_max=0)),
    "leaders_per_round must": parameters(consensus=ConsensusParameters(leaders_per_round=0)),
    "leaders_per_round must be 1 to": parameters(
        consensus=ConsensusParameters(leaders_per_round=101)
    ),
    "gc_depth must be at least 3": parameters(consensus=ConsensusParameters(gc_depth=2)),
    "schedule_window": parameters(consensus=ConsensusParameters(schedule_window=0)),
    "payload_bytes_max": parameters(consensus=ConsensusParameters(payload_bytes_max=65_535)),
    "transactions_max": parameters(consensus=ConsensusParameters(transactions_max=0)),
    "leave room for evidence": parameters(
        staking=StakingParameters(committee_size_max=329, validators_max=1_000)
    ),
    "leave room for evidence in": parameters(limits=LimitParameters(transaction_bytes_max=19_000)),
    "transaction_gas_max must pay for evidence": parameters(
        limits=LimitParameters(transaction_gas_max=Gas(1_000_000))
    ),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_a_parameter_out_of_its_range_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        check_parameters(BAD_PARAMETERS[name])


def test_the_parameters_that_come_with_the_program_are_in_range() -> None:
    check_parameters(LedgerParameters())


def test_evidence_of_the_greatest_committee_fits_a_transaction() -> None:
    seats, far = 328, 2**32 - 1
    check_parameters(
        LedgerParameters(staking=StakingParameters(committee_size_max=seats, validators_max=1_000))
    )
    header = HEADER_CODEC.encode(
        Header(
            version=1,
            genesis=Digest(bytes(32)),
            epoch=far,
            round=Round(far),
            author=AuthorityIndex(seats - 1),
            timestamp_ms=NOW,
            ancestors=tuple(
                BlockRef(Round(far), AuthorityIndex(author), Digest(bytes(32)))
                for author in range(seats)
            ),
            payload_root=Digest(bytes(32)),
            payload_bytes=far,
            payload_count=far,
            commit_votes=(CommitVote(CommitIndex(far), Digest(bytes(32))),) * seats,
            reports=(),
        )
    )
    proof = EVIDENCE_CODEC.encode(Twins(header, bytes(64), header, bytes(64)))
    action = Evidence(EvidenceKind.EQUIVOCATION, proof)
    assert len(encoded(transaction(action))) <= LimitParameters().transaction_bytes_max
