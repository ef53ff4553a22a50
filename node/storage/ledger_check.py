"""The doctor's checks of the ledger: what the newest state says about itself adds up.

A record may be what was written, and the tree over it what was certified, and yet the rules were
broken before: by a bug, or by somebody who wrote to the database. Money tells.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from node.ledger.chain import CHAIN_CODEC, CHAIN_KEY
from node.ledger.errors import SupplyError
from node.ledger.staking.audit import check_stakes
from node.ledger.supply import check_supply
from node.ledger.tree.lookup import PLACE_FIRST, entries_from, value_of
from node.ledger.tree.source import NodeSource
from node.storage.examiner import Damage, Fact
from node.storage.state_tables import CHUNKS, VERSIONS, StateVersion
from node.storage.state_view import StoredChunks, newest_version
from node.storage.transaction import Snapshot
from primitives.errors import MalformedBytesError, StorageError
from primitives.ids import Height

Entries = Iterable[tuple[bytes, bytes]]
Finding = Damage | Fact

NO_CHAIN: Final = "there is no chain record"


def check_chain_record(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the chain is as high as its state; tell height and root."""

    def judge(source: NodeSource, height: Height, version: StateVersion) -> Iterator[Fact]:
        yield Fact("height", str(height))
        yield Fact("state root", version.digest.hex())
        raw = value_of(source, version.root, CHAIN_KEY)
        if raw is None:
            raise StorageError(NO_CHAIN)
        found = CHAIN_CODEC.decode(raw).height
        if found != height:
            raise StorageError(f"its chain record says {found}")

    yield from _judged(snapshot, judge)


def check_money(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that all balances add up to what was created less what was burned; tell the supply."""

    def judge(source: NodeSource, _: Height, version: StateVersion) -> Iterator[Fact]:
        supply = check_supply(_entries(source, version))
        yield Fact("supply", str(supply.circulating))

    yield from _judged(snapshot, judge)


def check_staked(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the staking records add up to the account of stakes; tell what is staked."""

    def judge(source: NodeSource, _: Height, version: StateVersion) -> Iterator[Fact]:
        yield Fact("staked", str(check_stakes(_entries(source, version))))

    yield from _judged(snapshot, judge)


def _judged(
    snapshot: Snapshot, judge: Callable[[NodeSource, Height, StateVersion], Iterator[Fact]]
) -> Iterator[Finding]:
    """Yield what is found about the newest state, nothing if there is none yet."""
    try:
        newest = newest_version(snapshot)
    except StorageError as error:
        yield Damage(VERSIONS.name, "", str(error))
        return
    if newest is None:
        return
    height, version = newest
    try:
        yield from judge(NodeSource(StoredChunks(snapshot), trunk={}), height, version)
    except (StorageError, MalformedBytesError, SupplyError) as error:
        yield Damage(CHUNKS.name, "", f"state at height {height}: {error}")


def _entries(source: NodeSource, version: StateVersion) -> Entries:
    for entry in entries_from(source, version.root, PLACE_FIRST):
        yield source.content(entry)
