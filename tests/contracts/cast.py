"""The chain that these tests run on: the standard contracts, with a stand-in for `rounds`.

The stand-in passes on what it is told, so that a test can show both sides of "only rounds may".
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from node.contracts.standard import ACQUAINTANCES, standard_contract
from node.execution.founding import compiled_contract
from node.execution.local_chain import LocalChain, TransactionFailedError
from node.ledger.contract import genesis_contract_address
from node.ledger.genesis import GenesisContract
from node.ledger.parameters import LedgerParameters

ROUNDS = """
class IRegistry(Interface):
    @external
    def add_version(
        self,
        task: Int,
        version: Int,
        round: Int,
        parent: Bytes,
        model: Bytes,
        clip: Int,
        limit: Int,
        halvings: Int,
        contributors: List[Address],
        roots: List[Bytes],
        weights: List[Int],
        scores: List[Int],
    ): ...


class IReputation(Interface):
    @external
    def note(self, task: Int, who: Address, registered_at: Int, reputation: Int): ...


class IDisputes(Interface):
    @external
    def request(self, task: Int, round: Int, who: Address, fault: Int, basis_points: Int): ...


class Rounds(Contract):
    registry: Address
    reputation: Address
    disputes: Address

    @init
    def start(self, identity: Address, registry: Address, reputation: Address, disputes: Address):
        self.registry = registry
        self.reputation = reputation
        self.disputes = disputes

    @external
    def add_version(
        self,
        task: Int,
        version: Int,
        round: Int,
        parent: Bytes,
        model: Bytes,
        clip: Int,
        limit: Int,
        halvings: Int,
        contributors: List[Address],
        roots: List[Bytes],
        weights: List[Int],
        scores: List[Int],
    ):
        IRegistry(self.registry).add_version(
            task, version, round, parent, model, clip, limit, halvings, contributors, roots,
            weights, scores
        )

    @external
    def note(self, task: Int, who: Address, registered_at: Int, reputation: Int):
        IReputation(self.reputation).note(task, who, registered_at, reputation)

    @external
    def request(self, task: Int, round: Int, who: Address, fault: Int, basis_points: Int):
        IDisputes(self.disputes).request(task, round, who, fault, basis_points)
"""


@functools.cache
def _founded() -> tuple[GenesisContract, ...]:
    others = [genesis_contract_address(name) for name in ACQUAINTANCES["rounds"]]
    rounds = compiled_contract("rounds", ROUNDS, *others)
    return (*(standard_contract(name) for name in ACQUAINTANCES if name != "rounds"), rounds)


def standard_chain(
    *, validators: int = 4, parameters: LedgerParameters | None = None
) -> LocalChain:
    """Return a chain with all standard contracts, and the stand-in for `rounds`."""
    return LocalChain(validators=validators, parameters=parameters, contracts=_founded())


@contextmanager
def refused(rule: str) -> Iterator[None]:
    """Expect that a transaction fails with the message of a rule of a contract."""
    with pytest.raises(TransactionFailedError) as failure:
        yield
    assert failure.value.receipt.code == "vm-trap-reverted"
    assert rule in failure.value.receipt.trap
