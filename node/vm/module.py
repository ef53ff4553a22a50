"""The module: a compiled contract as it is deployed, stored and hashed.

A decoded module is well-formed msgpack of the right shape and nothing more; `verifier.verify`
decides whether it may run. Another meaning of the same bytes is another `MODULE_VERSION`.
"""

import enum
from typing import ClassVar, Final

import msgspec

from node.vm.limits import MODULE_BYTES_MAX
from node.vm.types import CompositeType, Field, TypeReference
from primitives.codec import Codec
from primitives.errors import MalformedBytesError, VmError

MODULE_VERSION: Final = 1


@enum.unique
class FunctionKind(enum.IntEnum):
    """Who may call a function, and what it may do."""

    EXTERNAL = 0
    """Called by anyone, without money."""

    PAYABLE = 1
    """Called by anyone, with or without money."""

    VIEW = 2
    """Called by anyone; writes nothing."""

    SCHEDULED = 3
    """Called by the chain, at a time the contract asked for; returns Unit."""

    INIT = 4
    """Called once, by the deployment, with or without money; returns Unit; at most one."""

    INTERNAL = 5
    """Called by the functions of the same module."""


METHOD_KINDS: Final = (FunctionKind.EXTERNAL, FunctionKind.PAYABLE, FunctionKind.VIEW)
"""What another contract or a transaction may call, and so what an interface may hold."""


class Constant(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A scalar value: Int, Fixed, Bytes, Str or Address.

    Args:
        value: Int and Fixed: big-endian two's complement, as short as can be, zero is empty;
            Bytes and Address as they are; Str: UTF-8.
    """

    type: TypeReference
    value: bytes


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What EMIT leaves in the receipt."""

    name: str
    fields: tuple[Field, ...]


class InterfaceMethod(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """A method of other contracts that this module calls.

    Args:
        interface: what the source calls the other contract; for people only.
        kind: EXTERNAL, PAYABLE or VIEW.
    """

    interface: str
    name: str
    kind: FunctionKind
    params: tuple[TypeReference, ...]
    result: TypeReference


class Function(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """Code with its signature; the parameters are the first locals.

    Args:
        locals: the types of the locals after the parameters; they start as zero values.
    """

    name: str
    kind: FunctionKind
    params: tuple[TypeReference, ...]
    result: TypeReference
    locals: tuple[TypeReference, ...]
    code: bytes


class Module(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """A compiled contract.

    Args:
        types: entry i is type `COMPOSITE_FIRST + i`.
        storage: the fields, in the order that gives them their slots.
    """

    version: int
    name: str
    types: tuple[CompositeType, ...]
    constants: tuple[Constant, ...]
    storage: tuple[Field, ...]
    events: tuple[Event, ...]
    methods: tuple[InterfaceMethod, ...]
    functions: tuple[Function, ...]


class MalformedModuleError(VmError):
    """Refuse bytes that are not the encoding of a module."""

    code: ClassVar[str] = "malformed_module"


_MODULE: Final = Codec(Module, size_bytes_max=MODULE_BYTES_MAX)


def encode_module(module: Module) -> bytes:
    """Return the one encoding of the module.

    Raises:
        LocalProtocolError: it is longer than `MODULE_BYTES_MAX`.
    """
    return _MODULE.encode(module)


def decode_module(raw: bytes) -> Module:
    """Return the module that has this encoding.

    Raises:
        MalformedModuleError: the bytes are too long, or not the encoding of any module.
    """
    try:
        return _MODULE.decode(raw)
    except MalformedBytesError as error:
        raise MalformedModuleError(str(error)) from error
