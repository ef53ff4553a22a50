"""Read a contract of a local chain without a transaction, and what `rounds` shows."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from node.execution.contract_calls import ContractCalls
from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.execution.local_chain import LocalChain
from node.ledger.chain import read_chain
from node.ledger.contract import genesis_contract_address, read_code, read_contract
from node.ledger.overlay import Overlay
from node.ledger.parameters import read_parameters
from node.ledger.staking.tables import read_committee
from node.ledger.transaction import Call
from node.vm.abi import PythonValue, from_value, to_value
from node.vm.engine import FastTier
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.module import decode_module
from node.vm.shapes import Value
from node.vm.verifier import verify
from primitives.ids import Digest, Grain

T = TypeVar("T")
VIEW_GAS: Final = 1_000_000_000


class TaskRecord(msgspec.Struct, frozen=True):
    """What `task_of` shows, as far as it is compared."""

    model: bytes
    version: int
    clip: int
    escrow: int
    rounds: int
    scored: int
    peak: int
    serial: int
    is_running: bool
    is_closing: bool
    is_closed: bool


class RoundRecord(msgspec.Struct, frozen=True):
    """What `round_of` shows, as far as it is compared."""

    number: int
    phase: int
    deadline_ms: int
    pot: int
    cursor: int
    rung: int
    level: int
    threshold: int


class UpdateRecord(msgspec.Struct, frozen=True):
    """What `updates_of` shows, as far as it is compared."""

    trainer: bytes
    bond: int
    weight: int


class StandingRecord(msgspec.Struct, frozen=True):
    """What `standing_of` shows, as far as it is compared."""

    reputation: int
    gain_average: int
    quarantined_until: int


class VestingRecord(msgspec.Struct, frozen=True):
    """What `vesting_of` shows, as far as it is compared."""

    vested: int
    amounts: list[int]


class Viewer:
    """A contract that genesis founded: its views, and calls of it as actions to be sent."""

    def __init__(self, chain: LocalChain, *, name: str) -> None:
        self.address: Final = genesis_contract_address(name)
        self._chain = chain
        self._engine = FastTier()
        self._library = Library()
        record = read_contract(chain.state, self.address)
        assert record is not None
        self._module = verify(decode_module(read_code(chain.state, record.code_digest)))
        self._linked = LinkedModule(self._module)

    def view(self, method: str, *arguments: PythonValue, kind: type[T]) -> T:
        """Return what a view returns."""
        return msgspec.convert(self._result(method, arguments), type=kind)

    def find(self, method: str, *arguments: PythonValue, kind: type[T]) -> T | None:
        """Return what a view returns, None if that is none."""
        found = self._result(method, arguments)
        return None if found is None else msgspec.convert(found, type=kind)

    def action(self, method: str, arguments: Sequence[PythonValue], *, value: int) -> Call:
        """Return the call of a method."""
        raw = self._encode(method, arguments)
        return Call(contract=self.address, method=method, arguments=raw, value=Grain(value))

    def arguments(self, function: int, raw: bytes) -> tuple[Value, ...]:
        """Return what was encoded for a function."""
        decoded = self._linked.arguments_codec(function).decode(raw)
        assert isinstance(decoded, tuple)
        return decoded

    def _result(self, method: str, arguments: Sequence[PythonValue]) -> PythonValue:
        raw = self._encode(method, arguments)
        calls = ContractCalls(
            Overlay(self._chain.state),
            facts=self._facts(),
            engine=self._engine,
            library=self._library,
        )
        encoded = calls.call(
            self.address, method, raw, sender=self.address, value=Grain(0), meter=Meter(VIEW_GAS)
        )
        result = self._module.functions[self._index(method)].result
        value = self._linked.codec(result).decode(encoded)
        return from_value(self._module.types, result, value)

    def _encode(self, method: str, arguments: Sequence[PythonValue]) -> bytes:
        index = self._index(method)
        params = self._module.functions[index].params
        values = tuple(
            to_value(self._module.types, param, given)
            for param, given in zip(params, arguments, strict=True)
        )
        return self._linked.arguments_codec(index).encode(values)

    def _index(self, method: str) -> int:
        index = self._module.function_named(method)
        assert index is not None
        return index

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
