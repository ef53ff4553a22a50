"""A chain in memory for benchmarks of the VM: contracts, money, and a committee.

Only what surrounds a call is missing: signature, fee, receipt. What is measured runs on the host,
the overlay, the library and the contract calls that a node runs on.
"""

from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from node.execution.contract_calls import ContractCalls
from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.ledger.account import Account, write_account
from node.ledger.contract import (
    ContractRecord,
    code_digest,
    genesis_contract_address,
    write_contract,
)
from node.ledger.overlay import Overlay, StateReader
from node.ledger.parameters import LedgerParameters
from node.ledger.staking.records import Keys, Member
from node.vm.engine import Engine
from node.vm.module import Module, encode_module
from primitives.hashing import sha256
from primitives.ids import (
    Address,
    ChainId,
    Epoch,
    Grain,
    Height,
    Power,
    TimestampMs,
)
from primitives.keys import PrivateKey

COMMITTEE_SIZE: Final = 100
"""As many seats as a chain has by default; what a contract asks about them grows with it."""

NOW_MS: Final = TimestampMs(1_700_000_000_000)
RICH: Final = Grain(10**15)
CHAIN_ID: Final = ChainId(bytes(32))


class Dictionary(StateReader):
    """A state in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    @override
    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Take over what a commit changed."""
        for key, value in changes.items():
            if value is None:
                del self.values[key]
            else:
                self.values[key] = value


class World:
    """What calls run against.

    Attributes:
        state: as the last commit left it.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine: Final = engine
        self.state: Final = Dictionary()
        self.library: Final = Library()
        self.facts: Final = CommitFacts(
            chain_id=CHAIN_ID,
            epoch=Epoch(0),
            height=Height(1),
            time_ms=NOW_MS,
            beacon=sha256(b"beacon"),
            base_fee=Grain(1),
            parameters=LedgerParameters(),
            members=tuple(map(_member, range(COMMITTEE_SIZE))),
        )

    def found(self, name: str, module: Module) -> Address:
        """Put a contract that was not run yet, and some money, at the address of its name."""
        address = genesis_contract_address(name)
        self.found_at(address, module)
        return address

    def found_at(self, address: Address, module: Module) -> None:
        """Put a contract and some money at an address."""
        code = encode_module(module)
        overlay = Overlay(self.state)
        record = ContractRecord(code_digest(code), address, Height(0))
        write_contract(overlay, address, record, code=code)
        write_account(overlay, address, Account(balance=RICH))
        self.state.write(overlay.changes())

    def enrich(self, *addresses: Address) -> None:
        """Give money to accounts."""
        overlay = Overlay(self.state)
        for address in addresses:
            write_account(overlay, address, Account(balance=RICH))
        self.state.write(overlay.changes())

    def calls(self, overlay: Overlay) -> ContractCalls:
        """Return what one transaction calls contracts through."""
        return ContractCalls(overlay, facts=self.facts, engine=self.engine, library=self.library)


def account(number: int) -> Address:
    """Return the address of one of the accounts."""
    return Address(sha256(number.to_bytes(8, "big")))


def _member(number: int) -> Member:
    key = PrivateKey.from_seed(account(number)).public.raw
    return Member(
        operator=account(number),
        keys=Keys(consensus_key=key, node_key=key),
        stake=RICH,
        weight=RICH,
        power=Power(10_000 // COMMITTEE_SIZE),
    )
