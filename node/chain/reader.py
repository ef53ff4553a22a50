"""Views of contracts: what a contract answers about the state at a height, for nobody's money.

The same code runs as in a commit, on an overlay that is thrown away. It is bounded by gas, so it
may be called from the event loop if the views are short; threads may share a reader.
"""

from dataclasses import dataclass
from typing import Final

from node.chain.chain import Chain
from node.chain.errors import NoContractError, NotViewError
from node.execution.contract_calls import ContractCalls
from node.execution.facts import CommitFacts
from node.execution.library import Entry
from node.ledger.chain import read_chain
from node.ledger.overlay import Overlay, StateReader
from node.ledger.parameters import read_parameters
from node.ledger.receipt import Event
from node.ledger.staking.tables import read_committee
from node.vm.abi import PythonValue, from_value, to_value
from node.vm.engine import find_method
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.module import FunctionKind
from node.vm.traps import Trap, VmTrap
from primitives.ids import Address, Digest, Grain, Height

READ_GAS_MAX: Final = 25_000_000
"""Some half a second; what one transaction may use by default."""

NOBODY: Final = Address(bytes(32))
"""Who asks, as the contract sees it."""

NO_BEACON: Final = Digest(bytes(32))
"""A view must not promise what only the next commit knows."""


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """An event with its fields as Python people read them."""

    name: str
    fields: dict[str, PythonValue]


class ContractReader:
    """Calls views of contracts on the state of a chain, and decodes their events."""

    def __init__(self, chain: Chain, *, gas_max: int = READ_GAS_MAX) -> None:
        self._chain = chain
        self._gas_max = gas_max
        self._facts: tuple[Height, CommitFacts] | None = None

    def call(
        self,
        contract: Address,
        method: str,
        *arguments: PythonValue,
        height: Height | None = None,
    ) -> PythonValue:
        """Return what a view answers at the head, or at an earlier height.

        Raises:
            NoContractError: there is no contract at the address.
            NotViewError: the method is no view.
            VmError: the arguments are none that it takes, or it ended in a trap.
            StatePrunedError: the height is kept no longer, or not there yet.
        """
        with self._chain.view(height) as view:
            overlay = Overlay(view)
            entry = self._entry(view, contract)
            function = _view_of(entry, method)
            linked = entry.linked
            calls = ContractCalls(
                overlay,
                facts=self._facts_at(view, view.height),
                engine=self._chain.machine.engine,
                library=self._chain.machine.library,
            )
            raw = calls.call(
                contract,
                method,
                _encoded(linked, function, arguments),
                sender=NOBODY,
                value=Grain(0),
                meter=Meter(self._gas_max),
            )
        result = linked.module.functions[function].result
        return from_value(linked.module.types, result, linked.codec(result).decode(raw))

    def event(self, event: Event) -> DecodedEvent:
        """Return the name and the fields of an event of a contract.

        Raises:
            NoContractError: there is no contract at its address.
            VmTrap: ENCODING, it is none that the contract emits.
        """
        with self._chain.view() as view:
            linked = self._entry(view, event.contract).linked
        events = linked.module.events
        places = (place for place, known in enumerate(events) if known.name == event.name)
        place = next(places, None)
        if place is None:
            raise VmTrap(Trap.ENCODING, message=f"there is no event {event.name}")
        values = linked.event_codec(place).decode(event.fields)
        assert isinstance(values, tuple)
        pairs = zip(events[place].fields, values, strict=True)
        types = linked.module.types
        fields = {field.name: from_value(types, field.type, value) for field, value in pairs}
        return DecodedEvent(event.name, fields)

    def _entry(self, view: StateReader, contract: Address) -> Entry:
        entry = self._chain.machine.library.at(view, contract)
        if entry is None:
            raise NoContractError(address=contract)
        return entry

    def _facts_at(self, view: StateReader, height: Height) -> CommitFacts:
        """Return what a call in a commit at the time of the last one would see."""
        known = self._facts
        if known is not None and known[0] == height:
            return known[1]
        chain = read_chain(view)
        facts = CommitFacts(
            chain_id=chain.chain_id,
            epoch=chain.epoch,
            height=chain.height,
            time_ms=chain.time_ms,
            beacon=NO_BEACON,
            base_fee=chain.base_fee,
            parameters=read_parameters(view),
            members=read_committee(view, chain.epoch),
        )
        self._facts = (height, facts)
        return facts


def _view_of(entry: Entry, method: str) -> int:
    function = find_method(entry.module, method)
    if entry.module.functions[function].kind is not FunctionKind.VIEW:
        raise NotViewError(method=method)
    return function


def _encoded(linked: LinkedModule, function: int, arguments: tuple[PythonValue, ...]) -> bytes:
    called = linked.module.functions[function]
    if len(called.params) != len(arguments):
        detail = f"{called.name} takes {len(called.params)}, got {len(arguments)}"
        raise VmTrap(Trap.BAD_ARGUMENTS, message=detail)
    pairs = zip(called.params, arguments, strict=True)
    values = tuple(to_value(linked.module.types, param, given) for param, given in pairs)
    return linked.arguments_codec(function).encode(values)
