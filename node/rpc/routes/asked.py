"""Parameters that several routes share."""

from typing import Annotated

import msgspec

from node.rpc.texts import AddressText, DigestText, Whole

Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class AskedHeight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A commit."""

    height: Whole


class AskedAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account or a contract, at a height or now."""

    address: AddressText
    height: Whole | None = None


class AskedTransaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction by its id."""

    id: DigestText


class AskedTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task by its number."""

    task: Number


class AskedRound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A round of a task."""

    task: Number
    round: Number


class AskedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a task's model."""

    task: Number
    version: Number
