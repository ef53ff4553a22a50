"""Schemas: which tables an environment has, and how an older one becomes the present one.

A migration takes a database from one version to the next, in one transaction together with the new
version, so that a crash leaves it at one version or the other. Versions count from 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.storage.table import AnyTable

if TYPE_CHECKING:
    from node.storage.transaction import WriteTransaction

Migration = Callable[["WriteTransaction"], None]
"""Rewrites one version into the next; it may use tables that the present schema has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What one kind of environment holds.

    Args:
        purpose: which kind it is, so that blobs are never opened as a ledger.
        tables: all of the present version.
        migrations: the one at index i leads from version i + 1 to version i + 2.
    """

    purpose: str
    tables: tuple[AnyTable, ...]
    migrations: tuple[Migration, ...] = ()

    @property
    def version(self) -> int:
        """Return the version that this program writes."""
        return len(self.migrations) + 1
