"""The rules of names and numbers of things, as every part of a module keeps them."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from node.vm.limits import NAME_LENGTH_MAX
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.types import Field

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_count(what: str, count: int, limit: int) -> None:
    """Refuse more than the limit.

    Raises:
        InvalidModuleError: there are.
    """
    if count > limit:
        raise InvalidModuleError(Reason.TOO_MANY, f"{count} {what} > limit {limit}")


def check_name(what: str, name: str) -> None:
    """Refuse what is no identifier of ASCII letters, digits and underscores.

    Raises:
        InvalidModuleError: it is none, or it is too long.
    """
    if len(name) > NAME_LENGTH_MAX or _NAME.fullmatch(name) is None:
        raise InvalidModuleError(Reason.NAME, f"{what} {name[:NAME_LENGTH_MAX]!r}")


def check_names_differ(what: str, names: Iterable[str]) -> None:
    """Refuse two of one name.

    Raises:
        InvalidModuleError: there are.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidModuleError(Reason.NAME_DUPLICATE, f"{what} {name!r}")
        seen.add(name)


def check_field_names(what: str, fields: Sequence[Field]) -> None:
    """Refuse fields with a bad name or with one name for two.

    Raises:
        InvalidModuleError: there are.
    """
    for field in fields:
        check_name(what, field.name)
    check_names_differ(what, (field.name for field in fields))
