"""The world of a contract, as a port: all that a running contract can reach is a method here.

The engine has charged the gas and checked the types and the access before it calls; the host may
still trap, for reasons of state (no money, no such method, a contract already on the stack).
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from node.vm.meter import Meter
    from node.vm.module import InterfaceMethod
    from node.vm.shapes import Value


class Storage(Protocol):
    """The slots of the contract that runs."""

    def load(self, slot: bytes) -> bytes | None:
        """Return what the slot holds, None if it is empty."""
        ...

    def store(self, slot: bytes, encoded: bytes) -> None:
        """Fill the slot."""
        ...

    def remove(self, slot: bytes) -> None:
        """Empty the slot; harmless where it is empty."""
        ...


class Chain(Protocol):
    """What a contract may ask the chain about others."""

    def balance_of(self, address: bytes) -> int:
        """Return the money of an account or contract, in grains."""
        ...

    def stake_of(self, address: bytes) -> int:
        """Return the own stake of a validator, in grains; 0 for anybody else."""
        ...

    def power_of(self, address: bytes) -> int:
        """Return the normalised voting power of a validator in this epoch; 0 for anybody else."""
        ...

    def committee(self) -> tuple[bytes, ...]:
        """Return the operators of the committee of this epoch, by their index."""
        ...

    def quorum(self) -> int:
        """Return the least voting power that is more than two thirds."""
        ...

    def has_code(self, address: bytes) -> bool:
        """Tell whether the address is a contract."""
        ...

    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether the key signed the message for this chain and contract."""
        ...

    def verify_certificate(self, committee: bytes, certificate: bytes) -> bool:
        """Tell whether a quorum of the committee signed the checkpoint in the certificate."""
        ...


class Host(Storage, Chain, Protocol):
    """Everything that an engine asks for while it runs one call."""

    def transfer(self, to: bytes, amount: int) -> None:
        """Move money of the contract to an account.

        Raises:
            VmTrap: INSUFFICIENT_BALANCE.
        """
        ...

    def emit(self, event: int, encoded: bytes) -> None:
        """Put an event of the module, by its index, on the receipt."""
        ...

    def schedule(self, at_ms: int, function: int, arguments: bytes, *, gas: int) -> None:
        """Have the chain call a SCHEDULED function of this contract at a later time.

        The gas that the call may use has been paid.

        Raises:
            VmTrap: SCHEDULE, the time or the number of waiting calls is outside its bounds.
        """
        ...

    def invoke(
        self,
        target: bytes,
        method: "InterfaceMethod",
        arguments: "tuple[Value, ...]",
        *,
        value: int,
        meter: "Meter",
    ) -> "Value":
        """Call a method of another contract with some of this one's money, and return its result.

        Raises:
            VmTrap: the call trapped, or it was none: NO_METHOD, BAD_CALL, DEPTH, REENTRANT.
        """
        ...
