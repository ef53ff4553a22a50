"""The ledger environment of a node: which tables it has, and what the doctor checks in it.

Blocks, commits, state, receipts and their index are in one environment, so that a commit is in all
of them or in none. Whoever opens it takes this schema; two openings with different ones would be
two databases.
"""

from typing import Final

from node.storage.block_store import BLOCK_TABLES
from node.storage.chain_tables import CHAIN_TABLES
from node.storage.ledger_migrations import LEDGER_MIGRATIONS
from node.storage.schema import Schema
from node.storage.state_tables import STATE_TABLES

LEDGER_SCHEMA: Final = Schema(
    purpose="ledger",
    tables=(*BLOCK_TABLES, *STATE_TABLES, *CHAIN_TABLES),
    migrations=LEDGER_MIGRATIONS,
)
LEDGER_SCHEMA_NAME: Final = f"{__name__}:LEDGER_SCHEMA"
"""For processes that are told by name what to open."""

LEDGER_CHECKS: Final = (
    "node.storage.state_check:check_state",
    "node.storage.ledger_check:check_chain_record",
    "node.storage.ledger_check:check_money",
    "node.storage.ledger_check:check_staked",
)
"""What the doctor checks, besides every record for itself."""
