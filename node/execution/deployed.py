"""A contract on a local chain, called like an object: `token.transfer(bob, 5, sender="alice")`."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from node.ledger.receipt import Event, Receipt
from node.ledger.transaction import Action, Call
from node.vm.abi import ForeignValueError, PythonValue, from_value, to_value
from node.vm.linked import LinkedModule
from node.vm.module import METHOD_KINDS, FunctionKind, Module
from node.vm.verifier import verify
from primitives.ids import Address, Gas, Grain

Method = Callable[..., PythonValue]


class Chain(Protocol):
    """What sends transactions."""

    def send(self, action: Action, *, sender: str = "alice") -> Receipt:
        """Commit one transaction of a named account."""
        ...


class DeployedContract:
    """A handle to one contract.

    Attributes:
        address: where it is.
        receipt: of the last call.
    """

    def __init__(self, chain: Chain, *, module: Module) -> None:
        self.address: Address = Address(bytes(32))
        self.receipt: Receipt | None = None
        self._chain = chain
        self._module: Final = verify(module)
        self._linked: Final = LinkedModule(self._module)

    def __getattr__(self, name: str) -> Method:
        """Return the method of the contract with this name, to be called with its arguments."""
        function = self._module.function_named(name)
        if function is None or self._module.functions[function].kind not in METHOD_KINDS:
            raise AttributeError(f"the contract {self._module.module.name} has no method {name}")

        def method(*arguments: PythonValue, sender: str = "alice", value: int = 0) -> PythonValue:
            return self._call(function, arguments, sender=sender, value=value)

        return method

    @property
    def gas_used(self) -> Gas:
        """What the last call used, the cost of its transaction included."""
        assert self.receipt is not None, "nothing was called yet"
        return self.receipt.gas_used

    def events(self) -> list[tuple[str, dict[str, PythonValue]]]:
        """Return the events of this contract in the last call, by name, with their fields."""
        assert self.receipt is not None, "nothing was called yet"
        own = (event for event in self.receipt.events if event.contract == self.address)
        return [self._event(event) for event in own]

    def init_arguments(self, arguments: Sequence[PythonValue]) -> bytes:
        """Return the encoded arguments for the deployment."""
        return init_arguments(self._linked, arguments)

    def _call(
        self, function: int, arguments: Sequence[PythonValue], *, sender: str, value: int
    ) -> PythonValue:
        called = self._module.functions[function]
        action = Call(
            contract=self.address,
            method=called.name,
            arguments=_encode(self._linked, function, arguments),
            value=Grain(value),
        )
        self.receipt = self._chain.send(action, sender=sender)
        result = self._linked.codec(called.result).decode(self.receipt.result)
        return from_value(self._module.types, called.result, result)

    def _event(self, event: Event) -> tuple[str, dict[str, PythonValue]]:
        events = self._module.events
        index = next(place for place, known in enumerate(events) if known.name == event.name)
        values = self._linked.event_codec(index).decode(event.fields)
        assert isinstance(values, tuple)
        pairs = zip(events[index].fields, values, strict=True)
        return event.name, {
            field.name: from_value(self._module.types, field.type, value) for field, value in pairs
        }


def init_arguments(linked: LinkedModule, arguments: Sequence[PythonValue]) -> bytes:
    """Return the encoded arguments of the `init` of a module.

    Raises:
        ForeignValueError: they are none that it takes.
    """
    for index, function in enumerate(linked.module.functions):
        if function.kind is FunctionKind.INIT:
            return _encode(linked, index, arguments)
    if arguments:
        raise ForeignValueError("the contract has no init, so it takes no arguments")
    return b""


def _encode(linked: LinkedModule, function: int, arguments: Sequence[PythonValue]) -> bytes:
    called = linked.module.functions[function]
    if len(called.params) != len(arguments):
        expected = len(called.params)
        raise ForeignValueError(f"{called.name} takes {expected}, got {len(arguments)}")
    values = tuple(
        to_value(linked.module.types, param, argument)
        for param, argument in zip(called.params, arguments, strict=True)
    )
    return linked.arguments_codec(function).encode(values)
