"""Find and read one stored value of a contract from outside, by the name of its field.

What a light client or a tool needs to ask for "models[3][7]" of a contract whose module it has.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from node.vm.abi import ForeignValueError, PythonValue, from_value, to_value
from node.vm.linked import LinkedModule
from node.vm.slots import slot_of
from node.vm.verified import StorageShape, VerifiedModule
from primitives.errors import VmError


class UnknownFieldError(VmError):
    """Refuse the name of a field that the contract does not store as one value."""

    code: ClassVar[str] = "field-unknown"


class StoredField:
    """One field of a contract's storage.

    Raises:
        UnknownFieldError: the contract has no such field, or it is a list, which is many values.
    """

    def __init__(self, module: VerifiedModule, name: str) -> None:
        names = [field.name for field in module.storage]
        if name not in names:
            raise UnknownFieldError(f"{module.module.name} stores no {name!r}: {', '.join(names)}")
        self._module: Final = module
        self._place: Final = names.index(name)
        self._field: Final = module.storage[self._place]
        if self._field.shape is not StorageShape.VALUE:
            raise UnknownFieldError(f"{name!r} is a list: each of its items has a place of its own")

    @property
    def key_names(self) -> tuple[str, ...]:
        """The types of the keys that lead to one value, as people read them."""
        return tuple(self._module.types.name(key) for key in self._field.keys)

    def slot(self, keys: Sequence[PythonValue]) -> bytes:
        """Return where the value under the keys stands.

        Raises:
            ForeignValueError: other keys than the field has.
        """
        if len(keys) != len(self._field.keys):
            wanted = ", ".join(self.key_names) or "none"
            raise ForeignValueError(f"{self._field.name} takes the keys {wanted}, got {len(keys)}")
        types = self._module.types
        values = tuple(
            to_value(types, key, given) for key, given in zip(self._field.keys, keys, strict=True)
        )
        return slot_of(self._place, self._field, values)

    def read(self, stored: bytes) -> PythonValue:
        """Return the value that the bytes of the slot stand for.

        Raises:
            VmTrap: ENCODING, they stand for none.
        """
        codec = LinkedModule(self._module).codec(self._field.leaf)
        return from_value(self._module.types, self._field.leaf, codec.decode(stored))
