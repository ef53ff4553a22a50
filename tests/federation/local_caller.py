"""Views of contracts on a local chain, behind the protocol that a node's reader has."""

import functools
from typing import Final

from node.contracts.standard import standard_contracts
from node.execution.contract_calls import ContractCalls
from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.execution.local_chain import LocalChain
from node.ledger.chain import read_chain
from node.ledger.genesis import GenesisContract
from node.ledger.overlay import Overlay
from node.ledger.parameters import read_parameters
from node.ledger.staking.tables import read_committee
from node.vm.abi import PythonValue, from_value, to_value
from node.vm.engine import FastTier
from node.vm.meter import Meter
from primitives.ids import Address, Digest, Grain, Height

VIEW_GAS: Final = 25_000_000


@functools.cache
def founded() -> tuple[GenesisContract, ...]:
    return standard_contracts()


class LocalCaller:
    """Calls views in the newest state; a local chain keeps no older one."""

    def __init__(self, chain: LocalChain) -> None:
        self._chain = chain
        self._engine = FastTier()
        self._library = Library()
        self.heights: list[Height | None] = []

    def call(
        self,
        contract: Address,
        method: str,
        /,
        *arguments: PythonValue,
        height: Height | None = None,
    ) -> PythonValue:
        self.heights.append(height)
        entry = self._library.at(self._chain.state, contract)
        assert entry is not None
        index = entry.module.function_named(method)
        assert index is not None
        function, table = entry.module.functions[index], entry.module.types
        values = tuple(
            to_value(table, param, given)
            for param, given in zip(function.params, arguments, strict=True)
        )
        calls = ContractCalls(
            Overlay(self._chain.state),
            facts=self._facts(),
            engine=self._engine,
            library=self._library,
        )
        encoded = calls.call(
            contract,
            method,
            entry.linked.arguments_codec(index).encode(values),
            sender=contract,
            value=Grain(0),
            meter=Meter(VIEW_GAS),
        )
        result = entry.linked.codec(function.result).decode(encoded)
        return from_value(table, function.result, result)

    def _facts(self) -> CommitFacts:
        chain = read_chain(self._chain.state)
        return CommitFacts(
            chain_id=chain.chain_id,
            epoch=chain.epoch,
            height=chain.height,
            time_ms=self._chain.now_ms,
            beacon=Digest(bytes(32)),
            base_fee=chain.base_fee,
            parameters=read_parameters(self._chain.state),
            members=read_committee(self._chain.state, chain.epoch),
        )
